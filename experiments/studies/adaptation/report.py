"""Report of the study: each arm by seed and pooled, against the continued source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from experiments.studies.adaptation.arms import ARMS, REFERENCE, UPPER_REFERENCE
from experiments.studies.adaptation.scores import (
    CALIBRATED_SOURCE,
    COLOUR,
    DO_NOTHING,
    PRIMARY,
    RIDGE,
    SCORES,
    SOURCE,
    Scored,
    Table,
    against,
    interval,
    pooled,
    read_scores,
)
from magenet.atomic_write import atomic_write
from magenet.evaluation.statistics import Comparison, Interval

PILOT = 0
"""Seed of the pilot. It chose which arms go on, and so does not count for those that did."""

CONVINCING_GAIN, CONVINCING_SHARE, CONVINCING_P, COLOUR_LOSS = 0.02, 0.3, 0.01, 0.3
"""The protocol's criterion."""

HEAD = """\
# Does the teacher close the gap?

Made by `make adaptation-study` by its [protocol](../studies/adaptation/protocol.md), on the 29 real
pairs of the target camera; means with 95 % intervals over patients.

"""


def is_convincing(
    gains: Sequence[Comparison], pooled_gain: Comparison, share: float, colour: Comparison
) -> bool:
    """Return whether an arm meets the protocol's criterion.

    Args:
        gains: In the primary endpoint over the continued source, of each seed.
        pooled_gain: The same, pooled over seeds.
        share: Of the gap to the calibrated arm that it closes; NaN if that is not known.
        colour: Change of the colour distance, pooled.
    """
    enough = share >= CONVINCING_SHARE or pooled_gain.difference >= CONVINCING_GAIN
    same_sign = all(gain.difference > 0 for gain in gains)
    kept = colour.difference <= COLOUR_LOSS
    return enough and pooled_gain.p < CONVINCING_P and same_sign and kept


def write_report(scores: Path, report: Path) -> None:
    """Write the report.

    Args:
        scores: `adaptation.csv`, see :mod:`experiments.studies.adaptation.scores`.
        report: `adaptation.md`.
    """
    table = read_scores(scores)
    with atomic_write(report) as part:
        part.write_text(HEAD + _gap(table) + _arms(table) + _comparisons(table))


def _cell(value: Interval) -> str:
    """Return a mean and its interval."""
    digits = 3 if value.mean < 1 else 2
    return f"{value.mean:.{digits}f} [{value.low:.{digits}f}, {value.high:.{digits}f}]"


def _gap(table: Table) -> str:
    """Return the section on the size of the gap, as far as it was measured."""
    lines = ["## Size of the gap", "", "| | " + " | ".join(SCORES.values()) + " |"]
    lines.append("|---" * (len(SCORES) + 1) + "|")
    names = [n for n in (DO_NOTHING, SOURCE, CALIBRATED_SOURCE) if n in table[PRIMARY]]
    for name in names:
        cells = [_cell(interval(table[score][name][PILOT])) for score in SCORES]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines.append("")
    if {SOURCE, CALIBRATED_SOURCE} <= set(names):
        gap, by_ridge = (
            _difference(
                against(table[score][CALIBRATED_SOURCE][PILOT], table[score][SOURCE][PILOT])
            )
            for score in (PRIMARY, RIDGE)
        )
        lines += [
            f"Vessel Dice of the calibrated source over the source: {gap}; "
            f"by a ridge filter {by_ridge}.",
            "",
        ]
    return "\n".join(lines) + "\n"


def _difference(comparison: Comparison) -> str:
    """Return a difference with its interval and p-value."""
    difference, low, high, *_, p = comparison
    return f"{difference:+.3f} [{low:+.3f}, {high:+.3f}], p = {p:.3g}"


def _arms(table: Table) -> str:
    """Return the scores of every arm and seed."""
    lines = ["## Arms", "", "| arm | seed | " + " | ".join(SCORES.values()) + " |"]
    lines.append("|---" * (len(SCORES) + 2) + "|")
    for label in (label for label in ARMS if label in table[PRIMARY]):
        for seed in sorted(table[PRIMARY][label]):
            cells = [_cell(interval(table[score][label][seed])) for score in SCORES]
            lines.append(f"| {label} | {seed} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n\n"


def common_seeds(table: Table, label: str) -> list[int]:
    """Return the seeds that an arm shares with the continued source, in order.

    The pilot's seed counts only for an arm that has no other: it chose those that have.
    """
    arms = table[PRIMARY]
    seeds = sorted(arms[label].keys() & arms.get(REFERENCE, {}).keys())
    return seeds if set(arms[label]) == {PILOT} else [seed for seed in seeds if seed != PILOT]


def _gap_of(table: Table, seeds: Sequence[int]) -> float:
    """Return the lead of the calibrated arm over the continued source in the primary endpoint.

    Args:
        table: The scores.
        seeds: Seeds to pool; the pilot's alone where the calibrated arm has not all of them.

    Returns:
        NaN where it was not measured, or its interval includes 0.
    """
    reference, goal = (table[PRIMARY].get(name, {}) for name in (REFERENCE, UPPER_REFERENCE))
    shared = list(seeds) if set(seeds) <= goal.keys() else [PILOT]
    if not set(shared) <= goal.keys() & reference.keys():
        return math.nan
    gap = against(*(pooled([arm[seed] for seed in shared]) for arm in (goal, reference)))
    return gap.difference if gap.low > 0 else math.nan


def _comparisons(table: Table) -> str:
    """Return the comparisons of each arm with the continued source, pooled over common seeds."""
    lines = [
        f"## Against the {REFERENCE}", "",
        "| arm | seeds | vessel Dice | by seed | share of the gap | ridge filter, Dice "
        "| colour distance | convincing |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    reference = table[PRIMARY].get(REFERENCE, {})
    for label in (label for label in ARMS if label in table[PRIMARY]):
        seeds, common = table[PRIMARY][label], common_seeds(table, label)
        if label == REFERENCE or not common:
            continue

        def pair(score: str, name: str, common: Sequence[int] = common) -> Scored:
            """Return an arm's score, pooled over the seeds that both have."""
            return pooled([table[score][name][seed] for seed in common])

        gains = [against(seeds[seed], reference[seed]) for seed in common]
        gain = against(pair(PRIMARY, label), pair(PRIMARY, REFERENCE))
        ridge = against(pair(RIDGE, label), pair(RIDGE, REFERENCE))
        colour = against(pair(COLOUR, label), pair(COLOUR, REFERENCE))
        share = gain.difference / _gap_of(table, common)
        verdict = "yes" if is_convincing(gains, gain, share, colour) else "no"
        if math.isnan(share) and is_convincing(gains, gain, 1.0, colour) and verdict == "no":
            verdict = "not known"
        closed = "not known" if math.isnan(share) else f"{share:.0%}"
        signs = ", ".join(f"{one.difference:+.3f}" for one in gains)
        lines.append(
            f"| {label} | {len(common)} | {_difference(gain)} | {signs} | {closed} "
            f"| {_difference(ridge)} | {colour.difference:+.2f} | {verdict} |"
        )
    return "\n".join(lines) + "\n"
