"""Patients of the photographs, by what the sets' labels say: intervals are over patients."""

from __future__ import annotations

from pathlib import Path

from data_modules.datasets.manifest import Manifest
from experiments.configurations import CONFIGS

CHILDREN = CONFIGS / "tests/chase_db1_children.csv"
"""Both eyes of a child of CHASE_DB1 are one patient's."""


def patients_of(folder: Path) -> dict[str, str]:
    """Return the patient of each photograph by its name; its own name where none is known.

    Args:
        folder: Of the photographs, with `index.csv` and, for HYGD, `hygd/labels.csv`.
    """
    labels = [path for path in (folder / "hygd/labels.csv", CHILDREN) if path.is_file()]
    known = Manifest.from_csv(folder / "index.csv", labels)
    return {photograph.name: photograph.patient or photograph.name for photograph in known}
