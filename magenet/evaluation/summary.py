"""Summary of a test: means with intervals over patients, and comparisons with the input."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import NamedTuple

import numpy as np

from data_modules.datasets.photographs import LESIONS
from magenet.errors import UserError
from magenet.evaluation.score_rows import KEYS, ScoreRow
from magenet.evaluation.statistics import (
    Comparison,
    bootstrap_interval,
    gap_closed,
    paired_comparison,
)

UNTOUCHED = "input"
"""Subject that is the unenhanced photograph, one end of the gap."""

CLEAN, HIGH = "clean", "high"
"""Subjects at the other end of the gap: the clean photograph, or the high-quality one of a pair."""

LOWER_IS_BETTER = frozenset(
    {
        "colour", "colour_change", "pair_colour", "disc_shift", "disc_moved", "dr_error",
        "vessel_lost", "vessel_invented", "naturalness", "verdict", "abstain",
    }
)  # fmt: skip
"""Scores that are better the lower they are."""

SIGNED = frozenset({"brightness_drift", "brightness_change"})
"""Scores that are best at 0: absolute values are compared, and lower is better."""

AGAINST_INPUT = frozenset(
    {
        "colour_change", "brightness_change", "vessel_lost", "vessel_invented", "disc_moved",
        "detail_gain", "contrast_gain", "verdict", "abstain",
        *(f"{kind}_preserved" for kind in LESIONS),
    }
)  # fmt: skip
"""Scores of the change from the input: no change is best, so there is no gap to close."""

NO_GAP = AGAINST_INPUT | SIGNED | {"psnr", "psnr_frame", "pair_psnr"}
"""Scores without a gap to close; PSNR's other end would be our cap of 60 dB."""

NAN = float("nan")


class ScoreSummary(NamedTuple):
    """Statistics of one score of one subject under one condition.

    Attributes:
        subject: Whose photographs are scored.
        condition: Degradation that the test applied.
        score: Name of the score.
        mean: Mean over photographs.
        low: Lower end of the mean's 95 % bootstrap interval over patients; NaN with fewer than
            :data:`~magenet.evaluation.statistics.LEAST_PATIENTS` patients.
        high: Upper end.
        photographs: Number of photographs for which the score is defined.
        patients: Number of their patients.
        difference: Mean difference from the unenhanced input, of :data:`SIGNED` scores of their
            absolute values; NaN for the input itself.
        difference_low: Lower end of its 95 % interval.
        difference_high: Upper end.
        wins: Patients with a better score than the input's: lower for :data:`LOWER_IS_BETTER`,
            nearer to 0 for :data:`SIGNED`, else higher.
        ties: Patients with the same score.
        losses: Patients with a worse score.
        p: P-value of a paired permutation test over patients, not corrected for multiple tests.
        gap_closed: Share of the gap between the means of the input and of the clean (or high)
            photograph that is closed, over the photographs that have all three; NaN where the two
            ends do not differ significantly or the input's is better, and for :data:`NO_GAP`.
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
    """One score of one subject under one condition, photograph by photograph."""

    names: list[str]
    patients: list[str]
    values: np.ndarray[tuple[int], np.dtype[np.float64]]


Columns = dict[tuple[str, str, str], Column]
"""Scores of a test by subject, condition and score."""


def columns_of(rows: Iterable[ScoreRow]) -> Columns:
    """Return the scores of a test, photographs in the order of the rows.

    Args:
        rows: All rows of one test.
    """
    cells: dict[tuple[str, str, str], list[tuple[str, str, float]]] = {}
    for row in rows:
        for score, value in row.items():
            if score not in KEYS:
                key = (str(row["subject"]), str(row["condition"]), score)
                cell = (str(row["name"]), str(row["patient"]), float(value))
                cells.setdefault(key, []).append(cell)
    columns = {}
    for key, column in cells.items():
        names, patients, values = zip(*column, strict=True)
        columns[key] = Column(list(names), list(patients), np.array(values))
    return columns


def summarise(columns: Columns, subjects: Container[str] | None = None) -> list[ScoreSummary]:
    """Return a summary for every subject, condition and score with a defined value.

    Args:
        columns: All scores of one test.
        subjects: Subjects to summarise; all if None.
    """
    lines = []
    for (subject, condition, score), column in columns.items():
        known = ~np.isnan(column.values)
        if not known.any() or (subjects is not None and subject not in subjects):
            continue
        patients = len({p for p, k in zip(column.patients, known, strict=True) if k})
        mean, low, high = float(column.values[known].mean()), NAN, NAN
        if patients > 1:
            mean, low, high = bootstrap_interval(column.values, column.patients)
        line = ScoreSummary(subject, condition, score, mean, low, high, int(known.sum()), patients)
        untouched = columns.get((UNTOUCHED, condition, score))
        if untouched is not None and subject != UNTOUCHED:
            line = _against(line, column, untouched)
            goals = (columns.get((end, condition, score)) for end in (CLEAN, HIGH))
            goal = next((goal for goal in goals if goal is not None), None)
            if goal is not None and subject not in (CLEAN, HIGH) and score not in NO_GAP:
                line = line._replace(gap_closed=_gap(score, column, untouched, goal))
        lines.append(line)
    return lines


def _against(line: ScoreSummary, column: Column, untouched: Column) -> ScoreSummary:
    """Add the paired comparison with the unenhanced input to a summary.

    Raises:
        UserError: If the two have different photographs.
    """
    if column.names != untouched.names:
        differing = sorted(set(column.names) ^ set(untouched.names)) or ["(another order)"]
        raise UserError(
            f"scores of '{line.subject}' and of '{UNTOUCHED}' under '{line.condition}' are not "
            f"of the same photographs: {differing[0]}; run the test again"
        )
    comparison = compared(line.score, column, untouched)
    if comparison is None:
        return line
    return line._replace(
        difference=comparison.difference, difference_low=comparison.low,
        difference_high=comparison.high, wins=comparison.wins, ties=comparison.ties,
        losses=comparison.losses, p=comparison.p,
    )  # fmt: skip


def compared(score: str, one: Column, other: Column) -> Comparison | None:
    """Compare a score of two subjects; a win is a better score, which may be a lower one.

    Args:
        score: Name of the score.
        one: Scores of the first subject.
        other: Scores of the second subject, of the same photographs in the same order.

    Returns:
        None with fewer than two patients.
    """
    both = ~np.isnan(one.values) & ~np.isnan(other.values)
    patients = [p for p, known in zip(one.patients, both, strict=True) if known]
    if len(set(patients)) < 2:
        return None
    values, others = one.values[both], other.values[both]
    if score in SIGNED:
        values, others = np.abs(values), np.abs(others)
    comparison = paired_comparison(values, others, patients)
    if score in LOWER_IS_BETTER | SIGNED:
        comparison = comparison._replace(wins=comparison.losses, losses=comparison.wins)
    return comparison


def _gap(score: str, column: Column, untouched: Column, goal: Column) -> float:
    """Return the share of the gap that is closed; NaN if the two ends do not differ."""
    ends = compared(score, goal, untouched)
    if ends is None or not (ends.low > 0.0 or ends.high < 0.0):
        return NAN
    if (ends.difference < 0.0) != (score in LOWER_IS_BETTER):
        return NAN
    return gap_closed(column.values, untouched.values, goal.values)
