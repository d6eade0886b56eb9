"""Sum up a test: means with intervals over patients, and everybody against the untouched input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from magenet.errors import UserError
from magenet.evaluation.lesions import KINDS
from magenet.evaluation.score_rows import KEYS, ScoreRow
from magenet.evaluation.statistics import (
    Comparison,
    bootstrap_interval,
    gap_closed,
    paired_comparison,
)

UNTOUCHED = "input"
"""Subject that marks one end: doing nothing."""

CLEAN, HIGH = "clean", "high"
"""Subjects that mark the other: the photograph before it was degraded, or its better partner."""

LOWER_IS_BETTER = frozenset(
    {
        "colour", "colour_change", "pair_colour", "disc_shift", "disc_moved", "dr_error",
        "vessel_lost", "vessel_invented", "naturalness", "verdict", "abstain",
    }
)  # fmt: skip

SIGNED = frozenset({"brightness_drift", "brightness_change"})
"""Scores that are best at 0: they are compared by their size, and less is better."""

AGAINST_INPUT = frozenset(
    {
        "colour_change", "brightness_change", "vessel_lost", "vessel_invented", "disc_moved",
        "detail_gain", "contrast_gain", "verdict", "abstain",
        *(f"{kind}_preserved" for kind in KINDS),
    }
)  # fmt: skip
"""Scores of a change: doing nothing is perfect by them, so that there is no gap to close."""

NO_GAP = AGAINST_INPUT | SIGNED | {"psnr", "psnr_frame", "pair_psnr"}
"""Scores without a gap: the last ones end at a cap of ours."""

NAN = float("nan")


class ScoreSummary(NamedTuple):
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
        wins: Patients with a better score than the input's: lower by :data:`LOWER_IS_BETTER`,
            nearer to 0 by :data:`SIGNED`, else higher.
        ties: With the same.
        losses: With a worse one.
        p: Of a paired permutation test over patients; one test of many, not corrected for them.
        gap_closed: Share of the way from the input's mean to that of the clean (or high)
            photograph, over the photographs that have all three; NaN where these ends cannot be
            told apart or the input's is the better one, and for :data:`NO_GAP`.
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


def summarise(rows: Sequence[ScoreRow]) -> list[ScoreSummary]:
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
    """Return a line with its comparison with the untouched input, photograph by photograph.

    Raises:
        UserError: If the two are about other photographs.
    """
    if column.names != untouched.names:
        odd = sorted(set(column.names) ^ set(untouched.names)) or ["(another order)"]
        raise UserError(
            f"scores of '{line.subject}' and of '{UNTOUCHED}' under '{line.condition}' are not "
            f"about the same photographs: {odd[0]}; run the test again"
        )
    found = compared(line.score, column, untouched)
    if found is None:
        return line
    return line._replace(
        difference=found.difference, difference_low=found.low, difference_high=found.high,
        wins=found.wins, ties=found.ties, losses=found.losses, p=found.p,
    )  # fmt: skip


def compared(score: str, one: Column, other: Column) -> Comparison | None:
    """Return the paired comparison of a score, whose wins are better ones.

    Args:
        score: Which one it is.
        one: Of somebody.
        other: Of somebody else, of the same photographs in the same order.

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
    found = paired_comparison(values, others, patients)
    if score in LOWER_IS_BETTER | SIGNED:
        found = found._replace(wins=found.losses, losses=found.wins)
    return found


def _gap(score: str, column: Column, untouched: Column, goal: Column) -> float:
    """Return the share of the gap that is closed; NaN if there may be none to close."""
    ends = compared(score, goal, untouched)
    if ends is None or ends.low <= 0.0 <= ends.high:
        return NAN
    if (ends.difference < 0.0) != (score in LOWER_IS_BETTER):
        return NAN
    return gap_closed(column.values, untouched.values, goal.values)
