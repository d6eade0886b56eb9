"""IDRiD: lesions, optic disc and grades of diabetic retinopathy."""

from __future__ import annotations

from pathlib import Path

from data_modules.public.entry import Entry, Lesions, Levels, MaskSource
from data_modules.public.public_set import (
    Listing,
    PublicSet,
    by_stem,
    find_root,
    grade_of,
    pictures,
    read_table,
)

SETS = {"a. Training Set": "train", "b. Testing Set": "test"}
"""Split of each folder."""

LESIONS = {
    "1. Microaneurysms": "ma",
    "2. Haemorrhages": "he",
    "3. Hard Exudates": "ex",
    "4. Soft Exudates": "se",
}
"""Folder and file name ending of each kind of lesion, in the order of their bits."""

TABLES = {
    "a. Training Set": "a. IDRiD_Disease Grading_Training Labels.csv",
    "b. Testing Set": "b. IDRiD_Disease Grading_Testing Labels.csv",
}
"""Table of grades of each folder."""


def find(folder: Path) -> Listing:
    """List the photographs of the segmentation part and of the grading part.

    Some photographs are in both, and the two parts' training and test sets disagree: the
    preparation finds them as near-duplicates, and what tests is not trained on.
    """
    segmentation = find_root(
        folder, "*Segmentation*/1. Original Images", "*Segmentation*/2. All Segmentation*"
    )
    grading = find_root(folder, "*Grading*/1. Original Images", "*Grading*/2. Groundtruths")
    entries, missing = _grading(next(grading.glob("*Grading*/1. Original Images")).parent)
    return Listing(
        _segmentation(next(segmentation.glob("*Segmentation*/1. Original Images")).parent)
        + entries,
        [],
        missing,
    )


def _segmentation(root: Path) -> list[Entry]:
    """Return the photographs with masks; a kind of lesion without a file is absent."""
    truth = next(root.glob("2. All Segmentation*"))
    entries = []
    for place, split in SETS.items():
        discs = by_stem(pictures(truth / place / "5. Optic Disc"))
        lesions = {
            ending: by_stem(pictures(truth / place / kind)) for kind, ending in LESIONS.items()
        }
        for image in pictures(root / "1. Original Images" / place):
            name = image.stem.lower()
            files = [found.get(f"{name}_{ending}") for ending, found in lesions.items()]
            masks: dict[str, MaskSource] = {
                "lesion_bitmask": Lesions([Levels(file) if file else None for file in files])
            }
            if disc := discs.get(f"{name}_od"):
                masks["disc_mask"] = Levels(disc)
            part = f"segmentation, {split}"
            entries.append(
                Entry(image, f"segmentation/{split}/{image.name}", part, split, masks=masks)
            )
    return entries


def _grading(root: Path) -> tuple[list[Entry], list[str]]:
    """Return the graded photographs, and those that the tables name but that are missing."""
    entries, missing = [], []
    for place, split in SETS.items():
        images = by_stem(pictures(root / "1. Original Images" / place))
        table = root / "2. Groundtruths" / TABLES[place]
        for row in read_table(table, "Image name", "Retinopathy grade"):
            image = images.get(row["Image name"].lower())
            if image is None:
                missing.append(f"grading/{split}/{row['Image name']}.jpg")
                continue
            grade = grade_of(row["Retinopathy grade"])
            name = f"grading/{split}/{image.name}"
            entries.append(Entry(image, name, f"grading, {split}", split, dr_grade=grade))
    return entries, missing


IDRID = PublicSet(
    name="idrid",
    title="IDRiD",
    contents="lesions, optic disc, grade of retinopathy",
    licence="CC BY 4.0, by the LICENSE.txt of the set",
    source="https://ieee-dataport.org/open-access/indian-diabetic-retinopathy-image-dataset-idrid",
    citation="Porwal et al., Indian Diabetic Retinopathy Image Dataset (IDRiD), Data 3(3):25, 2018",
    layout="A. Segmentation and B. Disease Grading, each with its 1. Original Images and "
    "2. (All Segmentation) Groundtruths",
    published={
        "segmentation, train": 54,
        "segmentation, test": 27,
        "grading, train": 413,
        "grading, test": 103,
    },
    find=find,
    val_share=0.15,
    notes="60 of the 81 segmentation photographs are graded ones, too, 15 of them on the other "
    "side of the split (counted by us): these leave the training. A photograph without a file of "
    "some kind of lesion counts as without such lesions. No patients are published.",
)
