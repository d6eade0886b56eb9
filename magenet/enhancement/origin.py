"""Origin of a result: its photograph by path and content, as the report beside it records it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from data_modules.datasets.manifest import Photograph
from data_modules.files.dicom_result import Processing
from data_modules.files.errors import PictureError
from data_modules.files.source import file_hash, source_path
from magenet.atomic_write import atomic_write

ReportRow = dict[str, Any]
"""Report on one photograph, as its `.json` file holds it."""


def report_path(path: Path) -> Path:
    """Return the path of the report on a result."""
    return path.with_name(path.name + ".json")


def write_report(path: Path, row: ReportRow) -> None:
    """Write the report on a result, whole or not at all.

    Raises:
        PictureError: If it cannot be written.
    """
    with atomic_write(report_path(path), PictureError) as half:
        half.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")


def read_report(path: Path) -> ReportRow:
    """Return the report on a result; empty if there is none that can be read."""
    try:
        report = json.loads(report_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return report if isinstance(report, dict) else {}


def processing_of(row: ReportRow) -> Processing:
    """Return what a DICOM result tells of its making: no name of weights, which may be a path."""
    return Processing(
        "Enhanced",
        f"Weights SHA-256 {row['weights_sha256']}, settings SHA-256 {row['settings_sha256']}, "
        f"strength {row['strength']:g}" + (", fast" if row["fast"] else ""),
    )


def is_whole(path: Path, report: ReportRow) -> bool:
    """Return whether a result is the file, bit for bit, that its report was written for."""
    expected = report.get("result_sha256")
    return (
        expected is not None and report.get("result") == path.name and file_hash(path) == expected
    )


def claimed_paths(
    paths: dict[str, Path | PictureError], photographs: Iterable[Photograph], overwrite: bool
) -> dict[str, Path | PictureError]:
    """Return output paths without those where the result of another photograph is.

    A result is a photograph's own if the report beside it names its path. Without such a report
    nobody knows whose result it is, so it counts as another's; so does a file that has the report's
    name and is none.

    Args:
        paths: Output path of each photograph by its name, or why it has none.
        photographs: All of them.
        overwrite: Whether to give them the paths all the same.
    """
    return paths if overwrite else {p.name: _claimed(paths[p.name], p) for p in photographs}


def _claimed(path: Path | PictureError, photograph: Photograph) -> Path | PictureError:
    """Return the path, or the error if something else is there, or in its report's place."""
    if isinstance(path, PictureError):
        return path
    source = read_report(path).get("source")
    is_unknown = source is None and os.path.lexists(report_path(path))
    there = path if os.path.lexists(path) else report_path(path) if is_unknown else None
    if there is None or source == source_path(photograph):
        return path
    whose = "a file of unknown origin" if source is None else f"the result of {source}"
    return PictureError(
        f"{photograph.image}: {there} is there already, {whose}; choose another folder, or replace "
        "it with --overwrite"
    )
