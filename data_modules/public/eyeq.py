"""EyeQ: quality grades of photographs of EyePACS."""

from __future__ import annotations

from pathlib import Path

from data_modules.datasets.manifest import QUALITIES
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
from magenet.errors import UserError


def find(folder: Path) -> Listing:
    """List the photographs that EyeQ grades; the others of EyePACS have no quality.

    Photographs are found by name: EyePACS's own (`10_left.jpeg`), or what EyeQ's preprocessing made
    of them (`10_left.png`).
    """
    labels = find_root(folder, "Label_EyeQ_train.csv", "Label_EyeQ_test.csv")
    files = by_stem(pictures(folder, recursive=True))
    listing = Listing([], [], [])
    for split in ("train", "test"):
        table = labels / f"Label_EyeQ_{split}.csv"
        for row in read_table(table, "image", "quality"):
            name = Path(row["image"]).stem
            if row["quality"] not in ("0", "1", "2"):
                raise UserError(f"{table}: {name} has quality '{row['quality']}'; use 0 to 2")
            image = files.get(name.lower())
            if image is None:
                listing.missing.append(f"{split}/{row['image']}")
                continue
            listing.entries.append(
                Entry(
                    image,
                    f"{split}/{image.name}",
                    part=split,
                    split=split,
                    patient=name.partition("_")[0],
                    quality=QUALITIES[int(row["quality"])],  # type: ignore[arg-type]  # one of them
                    dr_grade=grade_of(row.get("DR_grade", "")),
                )
            )
    return listing


EYEQ = PublicSet(
    name="eyeq",
    title="EyeQ (of EyePACS)",
    contents="quality of three grades, grade of retinopathy, patient",
    licence="photographs: rules of the Kaggle competition (EyePACS); labels: none stated",
    source="https://www.kaggle.com/c/diabetic-retinopathy-detection and "
    "https://github.com/HzFu/EyeQ (data/Label_EyeQ_*.csv)",
    citation="Fu et al., Evaluation of Retinal Image Quality Assessment Networks in Different "
    "Color-Spaces, MICCAI 2019",
    layout="Label_EyeQ_train.csv and Label_EyeQ_test.csv, and below them EyePACS's photographs "
    "(10_left.jpeg, ...)",
    published={"train": 12543, "test": 16249},
    find=find,
    val_share=0.1,
    notes="Counts: the label files, 16,818 good, 6,434 usable, 5,540 reject. A tenth of the "
    "training patients validates (our choice).",
)
