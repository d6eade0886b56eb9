"""One table from the scores of several tests: `python -m magenet.evaluation.tables`.

With tests it writes CSV files: the table's, one line for each row, condition and score; beside it
`<name>_runs.csv`, what each row was made with, and `<name>_against.csv`, the comparisons with rows
named by `--against`, photograph by photograph. With `--into` it then fills the places
that a Markdown file has for the table:

    <!-- table NAME scores=psnr,ssim conditions=spots,blur -->
    <!-- end -->

With one condition the columns are the scores, with 95 % intervals; with several the columns are
the conditions.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from magenet.callbacks.provenance import FACTS
from magenet.errors import UserError
from magenet.evaluation.score_rows import KEYS, ScoreRow, read_rows
from magenet.evaluation.summary import (
    CLEAN,
    HIGH,
    UNTOUCHED,
    Column,
    ScoreSummary,
    compared,
    summarise,
)

LABELS = {UNTOUCHED: "do nothing", CLEAN: "clean", HIGH: "the high photograph itself"}
"""What the rows are called that are no method's."""

COLUMNS = ("row", *ScoreSummary._fields[1:])
AGAINST = (
    "row", "against", "condition", "score", "difference", "low", "high", "wins", "ties", "losses",
    "p",
)  # fmt: skip
PLACE = re.compile(r"<!-- table (\S+?)((?: \w+=\S+)*) -->\n.*?<!-- end -->", re.DOTALL)

Cells = dict[str, str]
Entries = dict[str, tuple[str, list[ScoreRow]]]
"""By the name of a table's row: the subject that it is, and all rows of that subject's test."""

Photograph = tuple[str, str, str]


def label(name: str, subject: str, subjects: Iterable[str]) -> str:
    """Return what a table calls a subject of a run."""
    networks = [s for s in subjects if s not in LABELS]
    return LABELS.get(subject, name if len(networks) == 1 else f"{name}, {subject}")


def photographs(rows: Sequence[ScoreRow]) -> set[Photograph]:
    """Return what a test is of: each photograph's name, patient and condition."""
    return {(str(r["name"]), str(r["patient"]), str(r["condition"])) for r in rows}


def read_facts(path: Path) -> dict[str, object]:
    """Return what a test was made with.

    Raises:
        UserError: If there is no such file.
    """
    try:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the test again") from None


def collect(runs: dict[str, Path]) -> tuple[Entries, list[Cells]]:
    """Return what there is, and what each row was made with.

    Args:
        runs: The folder of each test's results, by the name of its row.

    Raises:
        UserError: If a run has no results, or the tests are of other photographs.
    """
    entries: Entries = {}
    facts: list[Cells] = []
    first: tuple[Path, set[Photograph]] | None = None
    for name, folder in runs.items():
        rows = read_rows(folder / "scores.csv")
        shown = photographs(rows)
        first = first or (folder, shown)
        if odd := sorted(first[1] ^ shown):
            what = ", ".join(odd[0])
            raise UserError(
                f"{folder} and {first[0]} are tests of other photographs ({len(shown)} and "
                f"{len(first[1])}; only in one of them: {what}): one table needs the same test"
            )
        subjects = list(dict.fromkeys(str(row["subject"]) for row in rows))
        made = read_facts(folder / "provenance.json")
        for subject in subjects:
            own = label(name, subject, subjects)
            entries.setdefault(own, (subject, rows))  # both ends are the first test's
            if subject not in LABELS:
                facts.append({"row": own} | {fact: str(made[fact]) for fact in FACTS})
    return entries, facts


def lines_of(entries: Entries) -> list[Cells]:
    """Return the table's lines."""
    table = []
    for own in sorted(entries, key=lambda own: list(LABELS).index(entries[own][0])
                      if entries[own][0] in LABELS else 0.5):  # fmt: skip
        subject, rows = entries[own]
        kept = [row for row in rows if row["subject"] in (subject, UNTOUCHED, CLEAN, HIGH)]
        for line in summarise(kept):
            if line.subject != subject:
                continue
            cells = {"row": own} | {k: _cell(v) for k, v in line._asdict().items()}
            cells.pop("subject")
            table.append(cells)
    return table


def comparisons(entries: Entries, against: str) -> list[Cells]:
    """Return how every row compares with one of them, by condition and score.

    Args:
        entries: All rows.
        against: The name of that one.

    Raises:
        UserError: If there is none of that name.
    """
    if against not in entries:
        raise UserError(f"--against '{against}' is none of {', '.join(entries)}")
    others = columns_of(*entries[against])
    lines = []
    for own, (subject, rows) in entries.items():
        if own == against or subject in LABELS:
            continue
        for (condition, score), column in columns_of(subject, rows).items():
            other = others.get((condition, score))
            found = None if other is None else compared(score, column, other)
            if found is None:
                continue
            numbers = (found.difference, found.low, found.high)
            counts = (found.wins, found.ties, found.losses, found.p)
            texts = (own, against, condition, score, *map(_cell, (*numbers, *counts)))
            lines.append(dict(zip(AGAINST, texts, strict=True)))
    return lines


def columns_of(subject: str, rows: Sequence[ScoreRow]) -> dict[tuple[str, str], Column]:
    """Return a subject's scores by condition and score, photographs in the order of names."""
    own = sorted((row for row in rows if row["subject"] == subject), key=lambda row: row["name"])
    found = {}
    for condition in dict.fromkeys(str(row["condition"]) for row in own):
        some = [row for row in own if row["condition"] == condition]
        for score in (name for name in some[0] if name not in KEYS):
            found[condition, score] = Column(
                [str(row["name"]) for row in some],
                [str(row["patient"]) for row in some],
                np.array([float(row[score]) for row in some]),
            )
    return found


def _cell(value: object) -> str:
    """Return a CSV cell; NaN is empty."""
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    return str(value)


def as_markdown(table: Sequence[Cells], scores: Sequence[str], conditions: Sequence[str]) -> str:
    """Return chosen columns as Markdown, a line for every row of the table.

    Args:
        table: Lines of the table.
        scores: Which scores.
        conditions: Under which conditions.

    Raises:
        UserError: If the table has none of that.
    """
    cells = {(c["row"], c["condition"], c["score"]): c for c in table}
    for condition in conditions:
        for score in scores:
            if not any(key[1:] == (condition, score) for key in cells):
                raise UserError(f"the table has no score '{score}' under '{condition}'")
    rows = list(dict.fromkeys(c["row"] for c in table))
    if len(conditions) == 1:
        heads = [f"{condition}: {score}" for condition in conditions for score in scores]
        groups = [[(conditions[0], score)] for score in scores]
    else:
        heads = [condition.replace("_", ", ") for condition in conditions]
        groups = [[(condition, score) for score in scores] for condition in conditions]
    first = " / ".join(scores) if len(conditions) > 1 else ""
    lines = [f"| {first} | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for row in rows:
        texts = []
        for group in groups:
            parts = [cells.get((row, condition, score)) for condition, score in group]
            interval = len(conditions) == 1
            texts.append(" / ".join(_shown(part, interval=interval) for part in parts if part))
        if any(texts):
            lines.append(f"| {row} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def _shown(cells: Cells, *, interval: bool) -> str:
    """Return a mean as a person reads it, with its interval if wanted."""
    mean = float(cells["mean"])
    digits = 2 if abs(mean) >= 5 else 3
    text = f"{mean:.{digits}f}"
    if interval and cells["low"]:
        text += f" [{float(cells['low']):.{digits}f}, {float(cells['high']):.{digits}f}]"
    return text


def put_into(path: Path, name: str, table: Sequence[Cells]) -> None:
    """Fill the places that a Markdown file has for a table.

    Raises:
        UserError: If it has none, or one asks for what the table has not.
    """
    text = path.read_text(encoding="utf-8")
    found = 0

    def fill(place: re.Match[str]) -> str:
        nonlocal found
        if place[1] != name:
            return place[0]
        found += 1
        asked = dict(part.split("=", 1) for part in place[2].split())
        scores = asked.get("scores", "psnr,ssim").split(",")
        every = dict.fromkeys(cells["condition"] for cells in table)
        conditions = asked["conditions"].split(",") if "conditions" in asked else list(every)
        shown = as_markdown(table, scores, conditions)
        return f"<!-- table {name}{place[2]} -->\n\n{shown}\n\n<!-- end -->"

    text = PLACE.sub(fill, text)
    if not found:
        raise UserError(f"{path}: no place '<!-- table {name} --> ... <!-- end -->' in it")
    path.write_text(text, encoding="utf-8")


def read_table(path: Path) -> list[Cells]:
    """Return the lines of a table's CSV file.

    Raises:
        UserError: If there is no such file.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))
    except FileNotFoundError:
        raise UserError(f"{path}: no such table") from None


def write_table(path: Path, columns: Sequence[str], lines: Sequence[Cells]) -> None:
    """Write lines to a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(lines)


def run(options: argparse.Namespace, runs: dict[str, Path]) -> None:
    """Make, print or place a table; see :func:`main`.

    Raises:
        UserError: If results or places are missing.
    """
    if runs:
        entries, facts = collect(runs)
        paired = [line for name in options.against for line in comparisons(entries, name)]
        write_table(options.csv, COLUMNS, lines_of(entries))
        write_table(options.csv.with_name(f"{options.csv.stem}_runs.csv"), ("row", *FACTS), facts)
        if paired:
            write_table(options.csv.with_name(f"{options.csv.stem}_against.csv"), AGAINST, paired)
    table = read_table(options.csv)
    for path in options.into:
        put_into(path, options.csv.stem, table)
    if not options.into:
        scores = options.scores.split(",")
        known = {(cells["condition"], cells["score"]) for cells in table}
        every = dict.fromkeys(cells["condition"] for cells in table)
        scored = [c for c in every if all((c, score) in known for score in scores)]
        print(as_markdown(table, scores, scored or list(every)))


def main(arguments: list[str] | None = None) -> int:
    """Make, print or place a table."""
    parser = argparse.ArgumentParser(description="Make one table from the scores of several tests.")
    parser.add_argument("runs", nargs="*", metavar="NAME=FOLDER", help="row and test folder")
    parser.add_argument("--csv", type=Path, required=True, help="the table's file")
    parser.add_argument(
        "--against", action="append", default=[], help="row that every other one is compared with"
    )
    parser.add_argument("--scores", default="psnr,ssim", help="what is printed (psnr,ssim)")
    parser.add_argument(
        "--into", type=Path, nargs="+", default=[], help="Markdown files to put the table into"
    )
    options = parser.parse_args(arguments)
    runs: dict[str, Path] = {}
    for run_ in options.runs:
        name, separator, folder = run_.rpartition("=")
        if not separator:
            parser.error(f"'{run_}' is not NAME=FOLDER")
        if name in runs:
            parser.error(f"two rows are called '{name}'")
        runs[name] = Path(folder)
    try:
        run(options, runs)
    except UserError as error:
        print(f"magenet: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
