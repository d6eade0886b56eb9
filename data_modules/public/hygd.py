"""HYGD: repeated photographs of one camera, of very different quality."""

from __future__ import annotations

from pathlib import Path

from data_modules.datasets.manifest import Quality
from data_modules.public.entry import Entry
from data_modules.public.public_set import (
    Listing,
    PublicSet,
    by_stem,
    find_root,
    pictures,
    read_table,
)
from magenet.errors import UserError

GOOD, USABLE = 6.5, 4.5
"""Least score of FundusQ-Net for each quality (our choice)."""


def find(folder: Path) -> Listing:
    """List the photographs that the table of labels names."""
    root = find_root(folder, "Labels.csv", "[Ii]mages")
    files = by_stem(pictures(next(root.glob("[Ii]mages"))))
    listing = Listing([], [], [])
    for row in read_table(root / "Labels.csv", "Image Name", "Patient", "Quality Score"):
        image = files.get(Path(row["Image Name"]).stem.lower())
        if image is None:
            listing.missing.append(row["Image Name"])
            continue
        quality = _quality(row["Quality Score"], root)
        listing.entries.append(Entry(image, image.name, patient=row["Patient"], quality=quality))
    return listing


def _quality(score: str, root: Path) -> Quality:
    """Return the quality of a score.

    Raises:
        UserError: If it is no number.
    """
    try:
        value = float(score)
    except ValueError:
        raise UserError(f"{root / 'Labels.csv'}: '{score}' is no quality score") from None
    return "good" if value >= GOOD else "usable" if value >= USABLE else "reject"


HYGD = PublicSet(
    name="hygd",
    title="HYGD",
    contents="quality by a published network, patient",
    licence="ODC-By 1.0, as quoted for version 1.1.0",
    source="https://physionet.org/content/hillel-yaffe-glaucoma-dataset",
    citation="Abramovich et al., Hillel Yaffe Glaucoma Dataset (HYGD), PhysioNet 2025, doi "
    "10.13026/z0ak-km33",
    layout="Images/0_0.jpg, ... and Labels.csv",
    published={"all": 747},
    find=find,
    val_share=0.2,
    test_share=0.2,
    notes="Good from a score of 6.5, usable from 4.5 (our choice). 10 files are exact repeats, "
    "some under another patient (counted by us). Dealt out by patient (our choice).",
)
