"""REFUGE: optic disc and cup, for glaucoma."""

from __future__ import annotations

import re
from pathlib import Path

from data_modules.public.entry import Entry, Levels
from data_modules.public.public_set import (
    Listing,
    NotTheSetError,
    PublicSet,
    by_stem,
    pictures,
)

CUP, DISC = 0, 128
"""Greatest grey level of the cup and of the disc around it in a mask; 255 is outside."""

SPLITS = {"g": "train", "n": "train", "v": "val", "t": "test"}
"""Split by the first letter of a photograph's name."""


def find(folder: Path) -> Listing:
    """List the photographs of the first edition, whose names tell their part.

    Photographs are `.jpg` and masks `.bmp` (`.png` in some copies) of the same name, in whatever
    folders the archives were unpacked to.
    """
    known = re.compile(r"[gnvt]\d{4}")
    files = pictures(folder, recursive=True)
    masks = by_stem(f for f in files if f.suffix.lower() in (".bmp", ".png"))
    listing = Listing([], [], [])
    for name, image in by_stem(f for f in files if f.suffix.lower() == ".jpg").items():
        if known.fullmatch(name) is None:
            continue
        mask = masks.get(name)
        split = SPLITS[name[0]]
        both = {} if mask is None else {
            "disc_mask": Levels(mask, 0, DISC), "cup_mask": Levels(mask, 0, CUP)
        }  # fmt: skip
        listing.entries.append(Entry(image, f"{split}/{image.name}", split, split, masks=both))
    if not listing.entries:
        raise NotTheSetError("photographs g0001.jpg, n0001.jpg, V0001.jpg, T0001.jpg")
    return listing


REFUGE = PublicSet(
    name="refuge",
    title="REFUGE",
    contents="optic disc, optic cup",
    licence="research and education, by the challenge's terms",
    source="https://refuge.grand-challenge.org",
    citation="Orlando et al., REFUGE Challenge, Medical Image Analysis 59:101570, 2020",
    layout="Training400, REFUGE-Validation400, REFUGE-Test400 with photographs, and "
    "Annotation-Training400, REFUGE-Validation400-GT, REFUGE-Test-GT with masks (.bmp)",
    published={"train": 400, "val": 400, "test": 400},
    find=find,
    notes="The training part is of one camera, the others of another. Not the 800 photographs that "
    "REFUGE2 added. No patients are published.",
)
