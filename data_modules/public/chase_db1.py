"""CHASE_DB1: vessels in both eyes of children."""

from __future__ import annotations

import re
from pathlib import Path

from data_modules.public.entry import Entry, Levels
from data_modules.public.public_set import Listing, PublicSet, by_stem, find_root, pictures

LAST_TRAINING = 10
"""Last child of the first 20 photographs, which the literature trains on."""


def find(folder: Path) -> Listing:
    """List the photographs with vessels by the first observer."""
    root = find_root(folder, "Image_??[LR].jpg")
    files = by_stem(pictures(root))
    listing = Listing([], [], [])
    for image in pictures(root):
        eye = re.fullmatch(r"Image_(\d\d)[LR]\.jpg", image.name)
        if eye is None:
            continue
        label = files.get(f"{image.stem.lower()}_1stho")
        split = "train" if int(eye[1]) <= LAST_TRAINING else "test"
        masks = {} if label is None else {"vessel_mask": Levels(label)}
        listing.entries.append(
            Entry(image, image.name, split=split, patient=f"child {eye[1]}", masks=masks)
        )
    return listing


CHASE_DB1 = PublicSet(
    name="chase_db1",
    title="CHASE_DB1",
    contents="vessels, patient",
    licence="CC BY 4.0, as the data repository of Kingston University states",
    source="https://researchdata.kingston.ac.uk/96",
    citation="Fraz et al., An Ensemble Classification-Based Approach Applied to Retinal Blood "
    "Vessel Segmentation, IEEE TBME 59(9), 2012",
    layout="Image_01L.jpg, Image_01L_1stHO.png, ...",
    published={"all": 28},
    find=find,
    val_share=0.2,
    notes="Children 01 to 10 train, 11 to 14 test, as usual in the literature; a fifth of the "
    "training children validates (our choice).",
)
