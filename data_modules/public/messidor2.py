"""Messidor-2: both eyes of patients with diabetes."""

from __future__ import annotations

import re
from pathlib import Path

from data_modules.datasets.manifest import read_rows
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

GRADES = "messidor_data.csv"
"""Grades of retinopathy that others made later; optional."""


def find(folder: Path) -> Listing:
    """List the photographs that the table of pairs names."""
    root = find_root(folder, "messidor-2.csv", "IMAGES")
    files = by_stem(pictures(root / "IMAGES"))
    grades: dict[str, dict[str, str]] = {}
    if (root / GRADES).is_file():
        rows = read_table(root / GRADES, "image_id")
        grades = {Path(row["image_id"]).stem.lower(): row for row in rows}
    listing = Listing([], [], [])
    for patient, eyes in enumerate(_pairs(root / "messidor-2.csv"), start=1):
        for eye in eyes:
            name = Path(eye).stem.lower()
            if name not in files:
                listing.missing.append(eye)
                continue
            row = grades.get(name, {})
            listing.entries.append(
                Entry(
                    files[name],
                    files[name].name,
                    patient=f"examination {patient}",
                    quality="reject" if row.get("adjudicated_gradable") == "0" else "unknown",
                    dr_grade=grade_of(row.get("adjudicated_dr_grade", "")),
                )
            )
    return listing


def _pairs(table: Path) -> list[list[str]]:
    """Return the photographs of each examination: two names on a line, with `;` or `,` between."""
    columns, rows = read_rows(table, ())
    lines = [",".join(columns), *(",".join(v for v in row.values() if v) for row in rows.values())]
    cells = [[cell.strip() for cell in re.split("[;,]", line)] for line in lines]
    eyes = [[cell for cell in line if Path(cell).suffix] for line in cells]  # not the heading
    return [pair for pair in eyes if pair]


MESSIDOR2 = PublicSet(
    name="messidor2",
    title="Messidor-2",
    contents="patient; grade of retinopathy where messidor_data.csv is there",
    licence="research and education, by the licence agreement of ADCIS",
    source="https://www.adcis.net/en/third-party/messidor2; grades: "
    "https://www.kaggle.com/datasets/google-brain/messidor2-dr-grades",
    citation="Decenciere et al., Feedback on a publicly distributed image database: the Messidor "
    "database, Image Analysis and Stereology 33(3), 2014; grades: Krause et al., Ophthalmology "
    "125(8), 2018",
    layout="IMAGES/ with the photographs and messidor-2.csv with both eyes of each examination",
    published={"all": 1748},
    find=find,
    val_share=0.1,
    test_share=0.2,
    notes="Both eyes of an examination are one patient. What the graders could not grade is called "
    "reject (our choice). Dealt out by patient (our choice).",
)
