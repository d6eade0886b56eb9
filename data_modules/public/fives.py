"""FIVES: vessels in photographs of four groups of patients, with quality."""

from __future__ import annotations

from pathlib import Path

from data_modules.datasets.manifest import Quality
from data_modules.public.entry import Entry, Levels
from data_modules.public.public_set import Listing, PublicSet, by_stem, find_root, pictures
from data_modules.public.spreadsheets import read_sheets

FEATURES = ("IC", "Blur", "LC")
"""Columns of quality, 1 where it is good: illumination and colour, blur, low contrast."""

GRADES: dict[int, Quality] = {3: "good", 2: "usable", 1: "usable", 0: "reject"}
"""Quality by how many of these are good (our choice)."""


def find(folder: Path) -> Listing:
    """List the photographs; their quality is known where the spreadsheet is there."""
    root = find_root(folder, "train/Original", "test/Original")
    table = next(root.glob("Quality Assessment*.xlsx"), None)
    grades = {} if table is None else _grades(table)
    entries = []
    for split in ("train", "test"):
        vessels = by_stem(
            file for place in sorted((root / split).glob("Gro*")) for file in pictures(place)
        )
        for image in pictures(root / split / "Original"):
            mask = vessels.get(image.stem.lower())
            entries.append(
                Entry(
                    image,
                    f"{split}/{image.name}",
                    part=split,
                    split=split,
                    quality=grades.get((split, image.stem), "unknown"),
                    masks={} if mask is None else {"vessel_mask": Levels(mask, 128)},
                )
            )
    return Listing(entries, [], [])


def _grades(table: Path) -> dict[tuple[str, str], Quality]:
    """Return the quality of each photograph, by split and name; a sheet for each split."""
    grades: dict[tuple[str, str], Quality] = {}
    for sheet, cells in read_sheets(table).items():
        columns = [name.strip() for name in cells[0]] if cells else []
        for line in cells[1:]:
            row = dict(zip(columns, line, strict=False))
            if row.get("Number") and all(row.get(feature) in ("0", "1") for feature in FEATURES):
                name = f"{row['Number']}_{row.get('Disease', '').strip()[:1].upper()}"
                good = sum(row[feature] == "1" for feature in FEATURES)
                grades[sheet.strip().lower(), name] = GRADES[good]
    return grades


FIVES = PublicSet(
    name="fives",
    title="FIVES",
    contents="vessels, quality",
    licence="CC BY 4.0",
    source="https://doi.org/10.6084/m9.figshare.19688169",
    citation="Jin et al., FIVES: A Fundus Image Dataset for Artificial Intelligence based Vessel "
    "Segmentation, Scientific Data 9:475, 2022",
    layout="train/Original/1_A.png, train/Ground truth/1_A.png, and the same of test/; for the "
    "quality also Quality Assessment.xlsx",
    published={"train": 600, "test": 200},
    find=find,
    val_share=0.1,
    notes="Good if illumination, sharpness and contrast are, reject if none is (our choice); the "
    "columns of the spreadsheet are known from other readers, not from the file itself. A tenth of "
    "the training part validates (our choice). No patients are published.",
)
