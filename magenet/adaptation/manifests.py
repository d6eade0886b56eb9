"""Manifests: which patients are trained on, and which judge."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from data_modules.datasets.manifest import Photograph
from magenet.adaptation.survey import Surveyed
from magenet.atomic_write import atomic_write
from magenet.errors import UserError

MINIMUM_JUDGED = 6
"""Smallest number of patients to judge on: with fewer, no permutation test reaches p < 0.05."""

GOOD_SHARE = 1 / 2
"""Share of the photographs that serve as clean ones: the first of the survey (our choice)."""

ROLES = ("train", "judge", "train")
"""Roles that patients get in turn, in the order of the survey."""

LEAST_PATIENTS = 3 * MINIMUM_JUDGED
"""Patients among whom every third one judges: with fewer there are never enough that judge."""


def require_patients(photographs: Sequence[Photograph]) -> None:
    """Raise if photographs are of fewer patients than a judgement needs, whatever they show.

    Args:
        photographs: All of them; one without a patient counts as one.

    Raises:
        UserError: If they are.
    """
    patients = {photograph.patient or photograph.name for photograph in photographs}
    if len(patients) < LEAST_PATIENTS:
        raise UserError(
            f"photographs of {len(patients)} patients: a judgement needs good ones of "
            f"{LEAST_PATIENTS} at least"
        )


def write_manifests(folder: Path, surveyed: list[Surveyed]) -> tuple[Path, Path]:
    """Write the manifests of the photographs to train on and of those to judge on.

    All photographs of a patient have the same role (:data:`ROLES`). The best photographs
    (:data:`GOOD_SHARE`) serve as clean ones as the released network enhances them, of quality
    `good`: as they are, a network would learn from them that their camera's haze is normal. The
    photographs to judge on are there as they are, too, of quality `usable`.

    Args:
        folder: Folder of the manifests.
        surveyed: Photographs, the best first.

    Returns:
        The manifest of the training and that of the judging.

    Raises:
        UserError: If they cannot be written, or hold too few patients to judge on.
    """
    good = round(GOOD_SHARE * len(surveyed))
    role_of_patient: dict[str, str] = {}
    training: list[list[str]] = []
    judging: list[list[str]] = []
    for index, (photograph, enhanced, *_) in enumerate(surveyed):
        patient = photograph.patient or photograph.name
        role = role_of_patient.setdefault(patient, ROLES[len(role_of_patient) % len(ROLES)])
        field = "" if photograph.fov_mask is None else str(photograph.fov_mask.resolve())
        clean = [os.path.relpath(enhanced, folder), "good", patient, field]  # one name each run
        if role == "judge":
            judging.append([str(photograph.image.resolve()), "usable", patient, field])
        if index < good:
            (judging if role == "judge" else training).append(clean)
    judged = {patient for _, quality, patient, _ in judging if quality == "good"}
    if len(judged) < MINIMUM_JUDGED:
        raise UserError(
            f"good photographs of {len(judged)} patients are left to judge on, and a judgement "
            f"needs {MINIMUM_JUDGED}: the {good} least changed photographs must be of "
            f"{LEAST_PATIENTS} patients; give photographs of more patients"
        )
    return (
        _write_manifest(folder / "training.csv", training, "train"),
        _write_manifest(folder / "judging.csv", judging, "val"),
    )


def _write_manifest(path: Path, rows: list[list[str]], split: str) -> Path:
    """Write a manifest of one split and return its path."""
    with (
        atomic_write(path) as part,
        part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(["image", "quality", "patient", "fov_mask", "split"])
        writer.writerows([*row, split] for row in rows)
    return path
