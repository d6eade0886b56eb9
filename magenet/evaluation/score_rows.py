"""CSV files of a test's scores: a row for each photograph, condition and subject."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from magenet.atomic_write import atomic_write
from magenet.errors import UserError

KEYS = ("subject", "name", "patient", "condition")
"""Columns that identify a row; all others are scores."""

ScoreRow = dict[str, str | float]


def write_rows(path: Path, rows: Sequence[ScoreRow]) -> None:
    """Write rows as CSV, with a column for every score that any row has; NaN is an empty cell.

    A name that is not valid UTF-8 keeps its bytes.

    Raises:
        UserError: If the file cannot be written.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with (
        atomic_write(path) as part,
        part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: "" if is_nan(v) else v for k, v in row.items()})


def read_rows(path: Path) -> list[ScoreRow]:
    """Read rows that :func:`write_rows` wrote; an empty cell is NaN.

    Raises:
        UserError: If the file is missing, lacks one of the columns :data:`KEYS`, or a score is no
            number.
    """
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
            reader = csv.DictReader(stream)
            missing = [key for key in KEYS if key not in (reader.fieldnames or ())]
            if missing:
                raise UserError(f"{path}: the column '{missing[0]}' is missing")
            return [
                {k: v if k in KEYS else float(v or "nan") for k, v in row.items()} for row in reader
            ]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the test first") from None
    except (ValueError, TypeError) as error:  # a decimal comma, or more cells than columns
        raise UserError(
            f"{path}: is no table of scores ({error}); was it saved by another program? Test again"
        ) from None


def is_nan(value: str | float) -> bool:
    """Return whether a value is NaN: a text never is."""
    return isinstance(value, float) and math.isnan(value)
