"""Put the published scores of the paper and its relatives beside ours, in one table.

Command:  make paper-table
Needs:    experiments/results/published.csv; our tables in experiments/results; those of the paper's
          protocol, paper_<test>.csv, where they were made (docs/paper.md).
Time:     a second.
Writes:   experiments/results/paper.md.

Rows of different data must not be compared with each other: each names its data, and the gap closed
is within one data set.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import NamedTuple

from experiments.configurations import RESULTS
from magenet.atomic_write import atomic_write
from magenet.errors import UserError
from magenet.evaluation.tables import read_table

PUBLISHED = "published.csv"
"""Published scores: table, row, score, value, data, source."""

COLUMNS = {
    "vessel_balanced_accuracy": "vessel AUC",
    "vessel_accuracy": "vessel accuracy",
    "vessel_iou": "vessel IoU",
    "vessel_dice": "vessel Dice",
    "disc_dice": "disc Dice",
    "fiqa": "FIQA",
    "dr_correct": "grade correct",
    "psnr": "PSNR",
    "ssim": "SSIM",
}
"""Heading of each score, in the order of the columns. What published tables call AUC is the
balanced accuracy of masks."""

GAP = "vessel_iou"
"""Score whose gap between the input and the clean photograph is shown as closed."""

LOW, HIGH = {"low-quality input", "do nothing"}, {"high-quality photograph", "clean"}
"""Rows at both ends of the gap."""


class Table(NamedTuple):
    """A table of ours, of which some scores under one condition are shown.

    Attributes:
        file: Its CSV file.
        condition: The condition.
        scores: The scores.
        data: What they were measured on.
    """

    file: str
    condition: str
    scores: tuple[str, ...]
    data: str


VESSELS = ("vessel_balanced_accuracy", "vessel_accuracy", "vessel_iou", "vessel_dice")
HARDEST = "illumination_spots_blur"
OURS = (
    Table(
        "downstream_0.1.csv", "illumination", (*VESSELS, "disc_dice", "dr_correct"),
        "ours: HRF, CHASE_DB1, IDRiD, cofe-Net's illumination",
    ),
    Table("real_0.1.csv", "unpaired", ("fiqa",), "ours: HYGD and IDRiD, usable and reject"),
    Table(
        "synthetic_0.1.csv", HARDEST, ("psnr", "ssim"), "ours: HRF, CHASE_DB1, IDRiD, all of cofe's"
    ),
    Table("paper_vessels.csv", HARDEST, VESSELS, "the paper's protocol: DRIVE, all of cofe's"),
    Table("paper_disc_cup.csv", HARDEST, ("disc_dice",), "the paper's protocol: REFUGE"),
    Table("paper_quality.csv", "unpaired", ("fiqa",), "the paper's protocol: EyeQ usable"),
    Table("paper_synthetic.csv", HARDEST, ("psnr", "ssim"), "the paper's protocol: EyeQ good"),
)  # fmt: skip
"""Our tables; those of the paper's protocol are shown where they were made."""

Scores = dict[tuple[str, str], dict[str, float]]
"""By data and row: the value of each score."""


def published(results: Path) -> Scores:
    """Return the published scores.

    Raises:
        UserError: If the file is missing, or a score is none of :data:`COLUMNS`.
    """
    path = results / PUBLISHED
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    found: Scores = {}
    for row in rows:
        if row["score"] not in COLUMNS:
            raise UserError(f"{path}: no column for the score '{row['score']}'")
        data = f"published, other data: {row['data']} ({row['source']})"
        found.setdefault((data, row["row"]), {})[row["score"]] = float(row["value"])
    return found


def ours(results: Path) -> Scores:
    """Return our scores, of the tables that there are."""
    found: Scores = {}
    for table in OURS:
        if not (results / table.file).is_file():
            continue
        for cells in read_table(results / table.file):
            if cells["condition"] == table.condition and cells["score"] in table.scores:
                scores = found.setdefault((table.data, cells["row"]), {})
                scores[cells["score"]] = float(cells["mean"])
    return found


def as_markdown(scores: Scores) -> str:
    """Return the table: a line for each row of each data set, and what each data set is."""
    shown = [name for name in COLUMNS if any(name in values for values in scores.values())]
    heads = ["", *(COLUMNS[name] for name in shown), f"{COLUMNS[GAP]}, gap closed", "data"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    every = list(dict.fromkeys(data for data, _ in scores))
    for (data, row), values in scores.items():
        cells = [f"{values[name]:.3f}" if name in values else "" for name in shown]
        kind = f"{data.partition(':')[0]} ({every.index(data) + 1})"
        lines.append("| " + " | ".join([row, *cells, _gap_closed(scores, data, row), kind]) + " |")
    legend = [f"{number}. {data}" for number, data in enumerate(every, start=1)]
    return "\n".join([*lines, "", *legend])


def _gap_closed(scores: Scores, data: str, row: str) -> str:
    """Return the share of the gap that a row closes on its data; empty if an end is not known."""
    ends = [
        [v[GAP] for (of, name), v in scores.items() if of == data and name in end and GAP in v]
        for end in (LOW, HIGH)
    ]
    value = scores[data, row].get(GAP)
    if value is None or not all(ends) or ends[0][0] >= ends[1][0]:
        return ""
    return f"{(value - ends[0][0]) / (ends[1][0] - ends[0][0]):.0%}"


def main(arguments: list[str] | None = None) -> int:
    """Write the table."""
    parser = argparse.ArgumentParser(description="Put published scores beside ours.")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the tables")
    results: Path = parser.parse_args(arguments).results
    scores = published(results) | ours(results)
    text = (
        "# Published scores and ours\n\n"
        "Made by `make paper-table`. **Rows of different data must not be compared**: sets, "
        "degradation, segmenters, frames and splits differ. The gap closed, from the input to the "
        "clean photograph on the same data, is the better target. "
        "What published tables call AUC is the balanced accuracy of masks; so is it here. "
        "T-S MAGE-Net's published row is not known to us. Published values are copied from "
        f"[{PUBLISHED}]({PUBLISHED}), which names the source of each.\n\n"
    )
    with atomic_write(results / "paper.md") as part:
        part.write_text(text + as_markdown(scores) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
