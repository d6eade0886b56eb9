"""Report of the study: each arm by seed and pooled, against the continued source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.studies.adaptation.arms import CALIBRATED_SOURCE, REFERENCE
from magenet.atomic_write import atomic_write
from magenet.evaluation.score_rows import read_rows
from magenet.evaluation.statistics import (
    Comparison,
    Interval,
    bootstrap_interval,
    gap_closed,
    paired_comparison,
)
from magenet.evaluation.tables import write_table

PRIMARY = "pair_vessel_dice"
RIDGE, COLOUR = "pair_ridge_dice", "pair_colour"
SCORES = {
    PRIMARY: "vessel Dice ↑", "pair_vessel_auc": "vessel AUC ↑", RIDGE: "by a ridge filter, Dice ↑",
    COLOUR: "colour distance ↓", "pair_psnr": "PSNR after matching ↑", "fiqa": "FIQA ↑",
    "wfqa": "WFQA ↑", "vessel_lost": "vessels lost ↓",
}  # fmt: skip
"""Labels of the scores, the primary endpoint first."""

PILOT = 0
"""Seed of the pilot. It chose which arms go on, and so does not count for those that did."""

SUBJECTS = ("teacher", "student", "input")
"""Whose scores count: the teacher's, where there is one."""

CONVINCING_GAIN, CONVINCING_SHARE, CONVINCING_P, COLOUR_LOSS = 0.02, 0.3, 0.01, 0.3
"""The protocol's criterion."""

HEAD = """\
# Does the teacher close the gap?

Made by `make adaptation-study` by its [protocol](../studies/adaptation/protocol.md), on the 29 real
pairs of the target camera; means with 95 % intervals over patients.

"""

Scored = dict[tuple[str, str], float]
"""A score of each photograph, by its name and patient."""


def scores_of(folder: Path, score: str, subject: str | None = None) -> Scored:
    """Return a score of each photograph of a test, the teacher's where there is one.

    Args:
        folder: Of the test.
        score: Its name.
        subject: Whose score; the first of :data:`SUBJECTS` that was tested if None.
    """
    rows = read_rows(folder / "scores.csv")
    tested = {row["subject"] for row in rows}
    chosen = subject or next(name for name in SUBJECTS if name in tested)
    return {
        (str(row["name"]), str(row["patient"])): float(row[score])
        for row in rows
        if row["subject"] == chosen
    }


def pooled(seeds: Sequence[Scored]) -> Scored:
    """Return the mean of each photograph over the seeds."""
    return {key: float(np.mean([one[key] for one in seeds])) for key in seeds[0]}


def interval(scored: Scored) -> Interval:
    """Return the mean of a score, where it is defined, with its interval over patients."""
    defined = {key: value for key, value in scored.items() if np.isfinite(value)}
    return bootstrap_interval(list(defined.values()), [patient for _, patient in defined])


def against(one: Scored, other: Scored) -> Comparison:
    """Return the paired comparison of two arms on the same photographs."""
    keys = sorted(one)
    return paired_comparison(
        [one[key] for key in keys], [other[key] for key in keys], [patient for _, patient in keys]
    )


def is_convincing(
    gains: Sequence[Comparison], pooled_gain: Comparison, share: float, colour: Comparison
) -> bool:
    """Return whether an arm meets the protocol's criterion.

    Args:
        gains: In the primary endpoint over the continued source, of each seed.
        pooled_gain: The same, pooled over seeds.
        share: Of the gap to the calibrated source that it closes.
        colour: Change of the colour distance, pooled.
    """
    enough = share >= CONVINCING_SHARE or pooled_gain.difference >= CONVINCING_GAIN
    same_sign = all(gain.difference > 0 for gain in gains)
    kept = colour.difference <= COLOUR_LOSS
    return enough and pooled_gain.p < CONVINCING_P and same_sign and kept


def write_report(
    folder: Path, sources: Mapping[str, Path], tests: Mapping[tuple[str, int], Path]
) -> None:
    """Write `adaptation.md` and `adaptation.csv`.

    Args:
        folder: Where.
        sources: Folders of the tests of both sources.
        tests: Folder of each arm's test, by its label and seed.
    """
    by_arm: dict[str, dict[int, Path]] = {}
    for (label, seed), test in tests.items():
        by_arm.setdefault(label, {})[seed] = test
    every = {score: _scores(by_arm, score) for score in SCORES}
    text = HEAD + _gap(sources) + _table(every)
    if REFERENCE in by_arm:
        text += _comparisons(every)
    with atomic_write(folder / "adaptation.md") as part:
        part.write_text(text)
    _write_scores(folder / "adaptation.csv", every)


def _scores(by_arm: Mapping[str, Mapping[int, Path]], score: str) -> dict[str, dict[int, Scored]]:
    """Return a score of every arm and seed."""
    return {
        label: {seed: scores_of(test, score) for seed, test in seeds.items()}
        for label, seeds in by_arm.items()
    }


def _cell(value: Interval) -> str:
    """Return a mean and its interval."""
    digits = 3 if value.mean < 1 else 2
    return f"{value.mean:.{digits}f} [{value.low:.{digits}f}, {value.high:.{digits}f}]"


def _gap(sources: Mapping[str, Path]) -> str:
    """Return the section on the size of the gap."""
    lines = ["## Size of the gap", "", "| | " + " | ".join(SCORES.values()) + " |"]
    lines.append("|---" * (len(SCORES) + 1) + "|")
    rows = {"do nothing": ("source", "input"), "source": ("source", None),
            "calibrated source": ("calibrated", None)}  # fmt: skip
    for name, (run, subject) in rows.items():
        cells = [_cell(interval(scores_of(sources[run], score, subject))) for score in SCORES]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    gap, by_ridge = (
        _difference(against(*(scores_of(sources[run], one) for run in ("calibrated", "source"))))
        for one in (PRIMARY, RIDGE)
    )
    lines += [
        "",
        f"Vessel Dice of the calibrated source over the source: {gap}; "
        f"by a ridge filter {by_ridge}.",
        "",
    ]
    return "\n".join(lines) + "\n"


def _difference(comparison: Comparison) -> str:
    """Return a difference with its interval and p-value."""
    difference, low, high, *_, p = comparison
    return f"{difference:+.3f} [{low:+.3f}, {high:+.3f}], p = {p:.3g}"


def _table(every: Mapping[str, Mapping[str, Mapping[int, Scored]]]) -> str:
    """Return the scores of every arm and seed."""
    lines = ["## Arms", "", "| arm | seed | " + " | ".join(SCORES.values()) + " |"]
    lines.append("|---" * (len(SCORES) + 2) + "|")
    for label, seeds in every[PRIMARY].items():
        for seed in seeds:
            cells = [_cell(interval(every[score][label][seed])) for score in SCORES]
            lines.append(f"| {label} | {seed} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n\n"


def _comparisons(every: Mapping[str, Mapping[str, Mapping[int, Scored]]]) -> str:
    """Return the comparisons of each arm with the continued source, pooled over common seeds."""
    lines = [
        f"## Against the {REFERENCE}", "",
        "| arm | seeds | vessel Dice | by seed | share of the gap | ridge filter, Dice "
        "| colour distance | convincing |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for label, seeds in every[PRIMARY].items():
        common = [seed for seed in seeds if seed in every[PRIMARY][REFERENCE]]
        common = [seed for seed in common if seed != PILOT] or common
        if label == REFERENCE or not common:
            continue

        def pair(score: str, name: str, common: Sequence[int] = common) -> Scored:
            """Return an arm's score, pooled over the seeds that both have."""
            return pooled([every[score][name][seed] for seed in common])

        gains = [against(seeds[seed], every[PRIMARY][REFERENCE][seed]) for seed in common]
        gain = against(pair(PRIMARY, label), pair(PRIMARY, REFERENCE))
        ridge = against(pair(RIDGE, label), pair(RIDGE, REFERENCE))
        colour = against(pair(COLOUR, label), pair(COLOUR, REFERENCE))
        goal = every[PRIMARY].get(CALIBRATED_SOURCE, {})
        share = float("nan")
        if set(common) <= goal.keys():
            share = gap_closed(
                interval(pair(PRIMARY, label)).mean,
                interval(pair(PRIMARY, REFERENCE)).mean,
                interval(pair(PRIMARY, CALIBRATED_SOURCE)).mean,
            )
        verdict = "yes" if is_convincing(gains, gain, share, colour) else "no"
        signs = ", ".join(f"{one.difference:+.3f}" for one in gains)
        lines.append(
            f"| {label} | {len(common)} | {_difference(gain)} | {signs} | {share:.0%} "
            f"| {_difference(ridge)} | {colour.difference:+.2f} | {verdict} |"
        )
    return "\n".join(lines) + "\n"


def _write_scores(path: Path, every: Mapping[str, Mapping[str, Mapping[int, Scored]]]) -> None:
    """Write the score of every arm, seed and photograph."""
    lines = [
        {"arm": label, "seed": str(seed), "name": name, "patient": patient}
        | {score: f"{every[score][label][seed][name, patient]:.6g}" for score in SCORES}
        for label, seeds in every[PRIMARY].items()
        for seed, scored in seeds.items()
        for name, patient in scored
    ]
    write_table(path, ("arm", "seed", "name", "patient", *SCORES), lines)
