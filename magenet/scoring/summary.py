"""Sum up a test: means with intervals over patients, and everybody against the untouched input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from magenet.metrics.statistics import bootstrap_interval, gap_closed, paired_comparison
from magenet.scoring.rows import KEYS, Row

UNTOUCHED, CLEAN = "input", "clean"
"""Subjects that mark both ends: doing nothing, and the photograph before it was degraded."""

NAN = float("nan")


class Line(NamedTuple):
    """Hold one score of one subject under one condition.

    Attributes:
        subject: Whose photographs.
        condition: What had been done to them.
        score: Which score.
        mean: Over photographs.
        low: Lower end of the mean's 95 % interval, by bootstrap over patients; NaN with one.
        high: Upper end.
        photographs: How many count, those with this score.
        patients: Whose they are.
        difference: Mean difference from the untouched input; NaN for the input itself.
        difference_low: Lower end of its interval.
        difference_high: Upper end.
        wins: Patients with a higher score than the input's: better only if higher is.
        ties: With the same.
        losses: With a lower one.
        p: Of a paired permutation test over patients.
        gap_closed: Share of the way from the input's mean to the clean photograph's.
    """

    subject: str
    condition: str
    score: str
    mean: float
    low: float
    high: float
    photographs: int
    patients: int
    difference: float = NAN
    difference_low: float = NAN
    difference_high: float = NAN
    wins: int = 0
    ties: int = 0
    losses: int = 0
    p: float = NAN
    gap_closed: float = NAN


class Column(NamedTuple):
    """Hold one score of one subject under one condition, photograph by photograph."""

    names: list[str]
    patients: list[str]
    values: np.ndarray[tuple[int], np.dtype[np.float64]]


def summarise(rows: Sequence[Row]) -> list[Line]:
    """Return one line for every subject, condition and score that is defined somewhere.

    Args:
        rows: Of one test.
    """
    columns: dict[tuple[str, str, str], Column] = {}
    for row in rows:
        for score, value in row.items():
            if score in KEYS:
                continue
            key = (str(row["subject"]), str(row["condition"]), score)
            columns.setdefault(key, Column([], [], np.empty(0)))
            columns[key].names.append(str(row["name"]))
            columns[key].patients.append(str(row["patient"]))
            columns[key] = columns[key]._replace(
                values=np.append(columns[key].values, float(value))
            )
    lines = []
    for (subject, condition, score), column in columns.items():
        known = ~np.isnan(column.values)
        if not known.any():
            continue
        patients = len({p for p, k in zip(column.patients, known, strict=True) if k})
        mean, low, high = float(column.values[known].mean()), NAN, NAN
        if patients > 1:
            mean, low, high = bootstrap_interval(column.values, column.patients)
        line = Line(subject, condition, score, mean, low, high, int(known.sum()), patients)
        untouched = columns.get((UNTOUCHED, condition, score))
        if untouched is not None and subject != UNTOUCHED:
            line = _against(line, column, untouched)
            clean = columns.get((CLEAN, condition, score))
            if clean is not None and subject != CLEAN:
                ends = (float(np.nanmean(c.values)) for c in (untouched, clean))
                line = line._replace(gap_closed=gap_closed(mean, *ends))
        lines.append(line)
    return lines


def _against(line: Line, column: Column, untouched: Column) -> Line:
    """Return a line with its comparison with the untouched input, photograph by photograph.

    Raises:
        ValueError: If the two are about other photographs.
    """
    if column.names != untouched.names:
        raise ValueError(f"{line.subject} and {UNTOUCHED} are not about the same photographs")
    both = ~np.isnan(column.values) & ~np.isnan(untouched.values)
    patients = [p for p, known in zip(column.patients, both, strict=True) if known]
    if len(set(patients)) < 2:
        return line
    found = paired_comparison(column.values[both], untouched.values[both], patients)
    return line._replace(
        difference=found.difference, difference_low=found.low, difference_high=found.high,
        wins=found.wins, ties=found.ties, losses=found.losses, p=found.p,
    )  # fmt: skip
