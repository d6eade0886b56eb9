"""DeepDRiD: two photographs of each eye, with quality and grade of retinopathy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from data_modules.datasets.manifest import Quality
from data_modules.public.entry import Entry
from data_modules.public.public_set import (
    Listing,
    PublicSet,
    by_stem,
    find_root,
    grade_of,
    pictures,
    read_table,
)
from data_modules.public.spreadsheets import read_sheet

TRAINING, VALIDATION = "regular-fundus-training", "regular-fundus-validation"
EVALUATION = "Online-Challenge1&2-Evaluation"
PARTS = {TRAINING: "train", VALIDATION: "val", EVALUATION: "test"}
"""Split of each folder of photographs; those of ultra-wide field are another instrument's."""

QUALITY = "Overall quality"
GRADES: dict[str, Quality] = {"1": "good", "0": "reject"}
"""Quality by whether it is good enough for a diagnosis (the words are ours)."""


def find(folder: Path) -> Listing:
    """List the photographs of regular field of view."""
    root = find_root(folder, f"{TRAINING}/{TRAINING}.csv")
    listing = Listing([], [], [])
    for place, split in PARTS.items():
        images = by_stem(pictures(root / place / "Images", recursive=True))
        for name, quality, grade in _labels(root / place):
            image = images.pop(name.lower(), None)
            if image is None:
                listing.missing.append(f"{split}/{name}.jpg")
                continue
            listing.entries.append(
                Entry(
                    image,
                    f"{split}/{image.name}",
                    part=split,
                    split=split,
                    patient=name.partition("_")[0],
                    quality=GRADES.get(quality, "unknown"),
                    dr_grade=grade_of(grade),
                )
            )
    return listing


def _labels(place: Path) -> Iterator[tuple[str, str, str]]:
    """Yield name, overall quality and grade of each photograph of a part."""
    if place.name == EVALUATION:
        grades = {}
        if (place / "Challenge1_labels.xlsx").is_file():
            rows = read_sheet(place / "Challenge1_labels.xlsx", "image_id", "DR_Levels")
            grades = {row["image_id"]: row["DR_Levels"] for row in rows}
        if (place / "Challenge2_labels.xlsx").is_file():
            for row in read_sheet(place / "Challenge2_labels.xlsx", "image_id"):
                yield row["image_id"], row.get(QUALITY, ""), grades.get(row["image_id"], "")
        return
    for row in read_table(place / f"{place.name}.csv", "image_id"):
        eye = "left" if "_l" in row["image_id"] else "right"
        yield row["image_id"], row.get(QUALITY, ""), row.get(f"{eye}_eye_DR_Level", "")


DEEPDRID = PublicSet(
    name="deepdrid",
    title="DeepDRiD",
    contents="quality good enough for a diagnosis or not, grade of retinopathy, patient",
    licence="CC BY-SA 4.0, as its Zenodo record is quoted",
    source="https://zenodo.org/records/8248825 or https://github.com/deepdrdoc/DeepDRiD",
    citation="Liu et al., DeepDRiD: Diabetic Retinopathy - Grading and Image Quality Estimation "
    "Challenge, Patterns 3, 100512, 2022",
    layout="regular_fundus_images/ with regular-fundus-training, regular-fundus-validation, "
    "Online-Challenge1&2-Evaluation (Challenge1_labels.xlsx, Challenge2_labels.xlsx)",
    published={"train": 1200, "val": 400, "test": 400},
    find=find,
    notes="Good where the quality is good enough for a diagnosis, else reject (our choice). "
    "Without the spreadsheets of the test part, that part is not listed. The 256 photographs of "
    "ultra-wide field are not listed.",
)
