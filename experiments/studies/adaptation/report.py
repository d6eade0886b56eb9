"""Report of the study: each arm by seed and pooled, against the continued source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from experiments.studies.adaptation.arms import (
    ARMS,
    CONFIRMATORY,
    CONTROL,
    REFERENCE,
    SCREENED,
    UPPER_REFERENCE,
)
from experiments.studies.adaptation.scores import (
    CALIBRATED_SOURCE,
    COLOUR,
    DO_NOTHING,
    PRIMARY,
    RIDGE,
    SCORES,
    SOURCE,
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

LEAST_SEEDS = 2
"""Seeds that a verdict needs, the pilot's not counted."""

CONVINCING_GAIN, CONVINCING_SHARE, CONVINCING_P, COLOUR_LOSS = 0.02, 0.3, 0.01, 0.3
"""The protocol's criterion."""

CONTROLLED = (CONFIRMATORY, "same view", "gated", "bank", "bank, detail alone", SCREENED)
"""Arms with a teacher, which the control of permuted targets is one of, too."""

HEAD = """\
# Does the teacher close the gap?

Made by `make adaptation-study` by its [protocol](../studies/adaptation/protocol.md), on the 29 real
pairs of the target camera; means with 95 % intervals over patients. Intervals and p-values are of
the networks that were trained: how much another training of the same arm would differ is in the
section on two trainings, once an arm has two seeds beside the pilot's. One arm is confirmatory, the
plain mean teacher; whether another meets the criterion is exploratory, since the pilot chose it.

"""


def is_convincing(
    gains: Sequence[Comparison], pooled_gain: Comparison, share: float, colour: Comparison
) -> bool:
    """Return whether an arm meets the protocol's criterion.

    Args:
        gains: In the primary endpoint over the continued source, of each seed.
        pooled_gain: The same, pooled over seeds.
        share: Of the gap to the calibrated arm that it closes; NaN if that was not measured.
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


def common_seeds(table: Table, label: str, reference: str = REFERENCE) -> list[int]:
    """Return the seeds that an arm shares with what it is compared with, in order.

    The pilot's seed counts only for an arm that has no other: it chose those that have.
    """
    arms = table[PRIMARY]
    seeds = sorted(arms.get(label, {}).keys() & arms.get(reference, {}).keys())
    return seeds if set(arms.get(label, {})) == {PILOT} else [s for s in seeds if s != PILOT]


def compared(
    table: Table, score: str, label: str, reference: str, seeds: Sequence[int]
) -> Comparison:
    """Return the comparison of two arms, each pooled over the seeds."""
    arms = table[score]
    return against(
        pooled([arms[label][seed] for seed in seeds]),
        pooled([arms[reference][seed] for seed in seeds]),
    )


def _gap_of(table: Table, seeds: Sequence[int]) -> Comparison | None:
    """Return the lead of the calibrated arm over the continued source in the primary endpoint.

    Args:
        table: The scores.
        seeds: Seeds to pool.

    Returns:
        None where it was not measured with all of them.
    """
    reference, goal = (table[PRIMARY].get(name, {}) for name in (REFERENCE, UPPER_REFERENCE))
    if not set(seeds) <= goal.keys() & reference.keys():
        return None
    return compared(table, PRIMARY, UPPER_REFERENCE, REFERENCE, seeds)


def _comparisons(table: Table) -> str:
    """Return the verdict on each arm, and its comparisons by all scores."""
    lines = [
        f"## Against the {REFERENCE}", "",
        "| arm | seeds | vessel Dice | by seed | share of the gap | convincing |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    doubtful = False
    arms = [label for label in ARMS if label != REFERENCE and common_seeds(table, label)]
    for label in arms:
        seeds = common_seeds(table, label)
        gains = [compared(table, PRIMARY, label, REFERENCE, [seed]) for seed in seeds]
        gain = compared(table, PRIMARY, label, REFERENCE, seeds)
        colour = compared(table, COLOUR, label, REFERENCE, seeds)
        gap = _gap_of(table, seeds)
        share = math.nan if gap is None else gain.difference / gap.difference
        closed = "not known" if gap is None else f"{share:.0%}"
        if gap is not None and gap.low <= 0:
            closed, doubtful = f"{closed} *", True
        signs = ", ".join(f"{one.difference:+.3f}" for one in gains)
        verdict = "yes" if is_convincing(gains, gain, share, colour) else "no"
        if len(set(seeds) - {PILOT}) < LEAST_SEEDS:
            verdict = "pilot" if seeds == [PILOT] else "one seed"
        elif gap is None and is_convincing(gains, gain, 1.0, colour) and verdict == "no":
            verdict = "not known"
        if label != CONFIRMATORY and verdict in ("yes", "no", "not known"):
            verdict += ", exploratory"
        lines.append(
            f"| {label} | {_named(seeds)} | {_difference(gain)} | {signs} | {closed} | {verdict} |"
        )
    if doubtful:
        lines += ["", "\\* The interval of the gap itself includes 0."]
    text = "\n".join(lines) + "\n\n" + _all_scores(table, REFERENCE, arms)
    text += _all_scores(table, CONTROL, CONTROLLED)
    text += _all_scores(table, UPPER_REFERENCE, [f"{UPPER_REFERENCE}, mean teacher"])
    return text + _two_trainings(table)


def _all_scores(table: Table, reference: str, arms: Sequence[str]) -> str:
    """Return the differences of arms from another one by every score, pooled over common seeds."""
    lines = [f"## By all scores, against {reference}", "", *_head()]
    rows = []
    for label in arms:
        if seeds := common_seeds(table, label, reference):
            cells = [
                _difference(compared(table, score, label, reference, seeds)) for score in SCORES
            ]
            rows.append(f"| {label} | {_named(seeds)} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, *rows]) + "\n\n" if rows else ""


def _two_trainings(table: Table) -> str:
    """Return how much trainings of one arm differ: the later seed against the earlier."""
    rows = []
    for label in (label for label in ARMS if label in table[PRIMARY]):
        seeds = sorted(table[PRIMARY][label].keys() - {PILOT})
        for one, other in pairwise(seeds):
            found = [
                _difference(against(table[score][label][other], table[score][label][one]))
                for score in SCORES
            ]
            rows.append(f"| {label} | {other} against {one} | " + " | ".join(found) + " |")
    if not rows:
        return ""
    return "\n".join(["## Two trainings of one arm", "", *_head(), *rows, ""])


def _head() -> list[str]:
    """Return the head of a table of differences by every score."""
    names = " | ".join(SCORES.values())
    return [f"| arm | seeds | {names} |", "|---" * (len(SCORES) + 2) + "|"]


def _named(seeds: Sequence[int]) -> str:
    """Return seeds in words."""
    return "0, the pilot" if list(seeds) == [PILOT] else ", ".join(map(str, seeds))
