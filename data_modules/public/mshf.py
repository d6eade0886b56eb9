"""MSHF: quality of photographs of tabletop and portable cameras, by three readers."""

from __future__ import annotations

from pathlib import Path

from data_modules.datasets.manifest import Quality
from data_modules.public.entry import Entry
from data_modules.public.public_set import Listing, PublicSet, Skipped, by_stem, find_root, pictures
from data_modules.public.spreadsheets import read_sheets

GROUPS = ("DR-XJU", "DR-ZJU", "Glaucoma", "Healthy", "Local1", "Local2")
"""Folders of photographs; the other is of ultra-wide field."""

OVERALL = (4, 9, 14)
"""Columns of the readers' overall quality, 1 for good, counted from 0."""


def find(folder: Path) -> Listing:
    """List the photographs of tabletop and portable cameras."""
    root = find_root(folder, "Original", "Individual_scores*.xlsx")
    grades = _grades(next(root.glob("Individual_scores*.xlsx")))
    splits = {
        name: split
        for split in ("train", "test")
        for name in by_stem(pictures(root / "AI-use" / split, recursive=True))
    }
    listing = Listing([], [], [])
    for image in pictures(root / "Original", recursive=True):
        name, group = image.stem.lower(), image.parent.name
        if group not in GROUPS:
            listing.skipped.append(Skipped(f"{group}/{image.name}", "of ultra-wide field"))
            continue
        listing.entries.append(
            Entry(
                image,
                f"{group}/{image.name}",
                part="portable" if group.startswith("Local") else "tabletop",
                split=splits.get(name, ""),
                quality=grades.get(name, "unknown"),
            )
        )
    return listing


def _grades(table: Path) -> dict[str, Quality]:
    """Return the quality that most readers give, by a photograph's name."""
    grades: dict[str, Quality] = {}
    for cells in read_sheets(table).values():
        for row in cells:
            votes = [row[column] for column in OVERALL if column < len(row)]
            if len(votes) == len(OVERALL) and set(votes) <= {"0", "1"}:
                name = Path(row[0]).stem.lower()
                grades[name] = "good" if votes.count("1") >= 2 else "reject"
    return grades


MSHF = PublicSet(
    name="mshf",
    title="MSHF",
    contents="quality",
    licence="CC BY 4.0",
    source="https://doi.org/10.6084/m9.figshare.21507564",
    citation="Jin et al., MSHF: A Multi-Source Heterogeneous Fundus Dataset for Image Quality "
    "Assessment, Scientific Data 10:286, 2023",
    layout="Original/ with a folder for each group, AI-use/train, AI-use/test, "
    "Individual_scores.xlsx.xlsx",
    published={"tabletop": 500, "portable": 302},
    find=find,
    val_share=0.1,
    notes="Good if two of three readers call the overall quality good, else reject (our choice). "
    "The 500 photographs of ultra-wide field are left out: another instrument. The columns of the "
    "spreadsheet are known from other readers, not from the file itself. No patients are "
    "published.",
)
