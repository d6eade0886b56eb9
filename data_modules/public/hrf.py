"""HRF: vessels in photographs of high resolution, healthy, with retinopathy and with glaucoma."""

from __future__ import annotations

from pathlib import Path

from data_modules.public.entry import Entry, Levels
from data_modules.public.public_set import Listing, PublicSet, by_stem, find_root, pictures

LAST_TRAINING = 5
"""Last photograph of each kind that trains."""


def find(folder: Path) -> Listing:
    """List the photographs."""
    root = find_root(folder, "images", "manual1")
    vessels, fields = (by_stem(pictures(root / place)) for place in ("manual1", "mask"))
    entries = []
    for image in pictures(root / "images"):
        name = image.stem.lower()
        masks = {"vessel_mask": vessels.get(name), "fov_mask": fields.get(f"{name}_mask")}
        known = {column: Levels(path, 128) for column, path in masks.items() if path}
        number = name.partition("_")[0]
        split = "train" if number.isdecimal() and int(number) <= LAST_TRAINING else "test"
        entries.append(Entry(image, image.name, split=split, masks=known))
    return Listing(entries, [], [])


HRF = PublicSet(
    name="hrf",
    title="HRF",
    contents="vessels, field of view",
    licence="CC BY 4.0, as its page is quoted",
    source="https://www5.cs.fau.de/research/data/fundus-images",
    citation="Budai et al., Robust Vessel Segmentation in Fundus Images, International Journal of "
    "Biomedical Imaging, 2013",
    layout="images/01_dr.JPG, manual1/01_dr.tif, mask/01_dr_mask.tif, ...",
    published={"all": 45},
    find=find,
    val_share=0.2,
    notes="The first five of each kind train, as often in the literature (from memory); a fifth of "
    "them validates (our choice). One photograph per patient, as far as published.",
)
