"""Scores of the study's networks on the real pairs, in one file that outlives their trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from magenet.errors import UserError
from magenet.evaluation.score_rows import read_rows
from magenet.evaluation.statistics import (
    Comparison,
    Interval,
    bootstrap_interval,
    paired_comparison,
)
from magenet.evaluation.tables import read_table, write_table
from magenet.hashing import file_sha256

PRIMARY = "pair_vessel_dice"
RIDGE, COLOUR = "pair_ridge_dice", "pair_colour"
SCORES = {
    PRIMARY: "vessel Dice ↑", "pair_vessel_auc": "vessel AUC ↑", RIDGE: "by a ridge filter, Dice ↑",
    COLOUR: "colour distance ↓", "pair_psnr": "PSNR after matching ↑", "fiqa": "FIQA ↑",
    "wfqa": "WFQA ↑", "vessel_lost": "vessels lost ↓",
}  # fmt: skip
"""Labels of the scores, the primary endpoint first."""

DO_NOTHING, SOURCE, CALIBRATED_SOURCE = "do nothing", "source", "calibrated source"
"""What is scored beside the arms, under seed 0."""

SUBJECTS = ("teacher", "student")
"""Whose scores count: the teacher's, where there is one."""

COLUMNS = ("arm", "seed", "source", "name", "patient", *SCORES)
"""Of the file; `source` is the start of the SHA-256 of the network that the arms began with."""

Scored = dict[tuple[str, str], float]
"""A score of each photograph, by its name and patient."""

Table = dict[str, dict[str, dict[int, Scored]]]
"""Every score by its name, the arm and the seed."""


def add_tests(path: Path, source: Path, tests: Mapping[tuple[str, int], Path]) -> None:
    """Add the scores of tests to the file, in the place of those of the same arm and seed.

    Args:
        path: The file, `adaptation.csv`; it need not exist.
        source: Checkpoint of the source network.
        tests: Folder of each test, by the label of its arm and its seed.

    Raises:
        UserError: If the file has scores of arms that began with another source network.
    """
    done, digest = tested(path, source), _digest(source)
    lines = [
        {"arm": label, "seed": str(seed), "source": digest}
        | {name: f"{v:.6g}" if isinstance(v, float) else v for name, v in row.items()}
        for (label, seed), folder in tests.items()
        for row in _rows(folder, label)
    ]
    if done:
        lines += [
            line for line in read_table(path) if (line["arm"], int(line["seed"])) not in tests
        ]
    lines.sort(key=lambda line: (line["arm"], int(line["seed"])))
    write_table(path, COLUMNS, [{name: line[name] for name in COLUMNS} for line in lines])


def tested(path: Path, source: Path) -> set[tuple[str, int]]:
    """Return the arms and seeds that the file has scores of.

    Args:
        path: The file; it need not exist.
        source: Checkpoint of the source network.

    Raises:
        UserError: If they began with another source network: they compare with none of this one.
    """
    lines = read_table(path) if path.is_file() else []
    if any(line["source"] != _digest(source) for line in lines):
        raise UserError(
            f"{path}: has scores of another source network than {source}; give another folder of "
            "--results, or move them away"
        )
    return {(line["arm"], int(line["seed"])) for line in lines}


def _digest(source: Path) -> str:
    """Return the start of the SHA-256 of a source network."""
    return file_sha256(source)[:12]


def _rows(folder: Path, label: str) -> list[dict[str, str | float]]:
    """Return the rows of a test whose scores count."""
    rows = read_rows(folder / "scores.csv")
    tested = {row["subject"] for row in rows}
    subject = next(name for name in SUBJECTS if name in tested)
    return [row for row in rows if row["subject"] == ("input" if label == DO_NOTHING else subject)]


def read_scores(path: Path) -> Table:
    """Return the scores in the file.

    Args:
        path: The file, `adaptation.csv`.

    Raises:
        UserError: If there is none.
    """
    table: Table = {}
    for line in read_table(path):
        for score in SCORES:
            seeds = table.setdefault(score, {}).setdefault(line["arm"], {})
            scored = seeds.setdefault(int(line["seed"]), {})
            scored[line["name"], line["patient"]] = float(line[score])
    return table


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
