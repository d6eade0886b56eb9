"""DRIVE: vessels in photographs of a screening for diabetic retinopathy."""

from __future__ import annotations

from pathlib import Path

from data_modules.public.entry import Entry, Levels
from data_modules.public.public_set import Listing, PublicSet, by_stem, find_root, pictures


def find(folder: Path) -> Listing:
    """List the photographs; of the test part vessels are known only in earlier distributions."""
    root = find_root(folder, "training/images", "test/images")
    entries = []
    for place, split in (("training", "train"), ("test", "test")):
        vessels = by_stem(pictures(root / place / "1st_manual"))
        fields = by_stem(pictures(root / place / "mask"))
        for image in pictures(root / place / "images"):
            number = image.name.partition("_")[0]
            masks = {
                "vessel_mask": vessels.get(f"{number}_manual1"),
                "fov_mask": fields.get(f"{image.stem.lower()}_mask"),
            }
            known = {column: Levels(path) for column, path in masks.items() if path}
            entries.append(Entry(image, f"{place}/{image.name}", place, split, masks=known))
    return Listing(entries, [], [])


DRIVE = PublicSet(
    name="drive",
    title="DRIVE",
    contents="vessels, field of view",
    licence="research, by the terms accepted at registration; no redistribution",
    source="https://drive.grand-challenge.org",
    citation="Staal et al., Ridge-based vessel segmentation in color images of the retina, IEEE "
    "TMI 23(4), 2004",
    layout="training/images/21_training.tif, training/1st_manual/21_manual1.gif, "
    "training/mask/21_training_mask.gif, and the same of test/",
    published={"training": 20, "test": 20},
    find=find,
    val_share=0.2,
    notes="The present distribution has no vessels of the test part: without them it is listed, "
    "but tests no segmentation. One photograph per patient, as far as published. A fifth of the "
    "training part validates (our choice).",
)
