"""STARE: vessels in digitised slides, half of them with disease."""

from __future__ import annotations

from pathlib import Path

from data_modules.public.entry import Entry, Levels
from data_modules.public.public_set import Listing, PublicSet, find_root, pictures


def find(folder: Path) -> Listing:
    """List the photographs with vessels by the first observer, A. Hoover."""
    root = find_root(folder, "labels-ah/im*.ah.ppm*")
    images = {file.name.partition(".")[0]: file for file in pictures(root / "stare-images")}
    images = images or {file.name.partition(".")[0]: file for file in pictures(root)}
    listing = Listing([], [], [])
    for label in pictures(root / "labels-ah"):
        name = label.name.partition(".")[0]
        if name not in images:
            listing.missing.append(f"stare-images/{name}.ppm")
            continue
        entry = Entry(images[name], f"{name}.ppm", masks={"vessel_mask": Levels(label)})
        listing.entries.append(entry)
    return listing


STARE = PublicSet(
    name="stare",
    title="STARE",
    contents="vessels",
    licence="none stated",
    source="https://cecas.clemson.edu/~ahoover/stare/probing (stare-images.tar, labels-ah.tar)",
    citation="Hoover et al., Locating blood vessels in retinal images by piecewise threshold "
    "probing of a matched filter response, IEEE TMI 19(3), 2000",
    layout="stare-images/im0001.ppm(.gz) and labels-ah/im0001.ah.ppm(.gz)",
    published={"all": 20},
    find=find,
    val_share=0.25,
    test_share=0.4,
    notes="Dealt out 9 / 3 / 8 by the hash of the name (our choice; the literature often leaves "
    "one out).",
)
