"""Tables made from the scores of several tests.

:func:`make_table` writes CSV files: the table's, one line for each row, condition and score; beside
it `<name>_runs.csv`, what each row was made with, and `<name>_against.csv`, paired comparisons with
chosen rows. :func:`put_into` fills the markers that a Markdown file has for the table:

    <!-- table NAME scores=psnr,ssim conditions=spots,blur -->
    <!-- end -->

With one condition the columns are the scores, with 95 % intervals; with several the columns are
the conditions.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from magenet.atomic_write import atomic_write
from magenet.errors import UsageError, UserError
from magenet.evaluation.score_rows import ScoreRow, read_rows
from magenet.evaluation.summary import (
    CLEAN,
    HIGH,
    UNTOUCHED,
    Column,
    Columns,
    ScoreSummary,
    columns_of,
    compared,
    summarise,
)

LABELS = {UNTOUCHED: "do nothing", CLEAN: "clean", HIGH: "the better photograph itself"}
"""Names of the rows that are not a method's, by subject."""

SCORES = ("psnr", "ssim")
"""Scores that are shown by default."""

FACTS = (
    "config", "commit", "seed", "versions", "hardware", "precision", "parameters", "gmacs",
    "milliseconds", "peak_memory_mb", "steps", "checkpoint", "checkpoint_sha256", "chosen",
)  # fmt: skip
"""Keys of a test's `provenance.json` that a table shows of each row."""

COLUMNS = ("row", *ScoreSummary._fields[1:])
AGAINST = (
    "row", "against", "condition", "score", "difference", "low", "high", "wins", "ties", "losses",
    "p",
)  # fmt: skip
MARKER = re.compile(r"<!-- table (\S+?)((?: \w+=\S+)*) -->\n.*?<!-- end -->", re.DOTALL)

Cells = dict[str, str]
Entries = dict[str, tuple[str, Columns]]
"""By the name of a table's row: its subject, and all scores of the test it comes from."""

Photograph = tuple[str, str, str]

SAME_INPUT = 0.01
"""Greatest difference of a score of the unenhanced photographs between two tests of one table, in
shares of its mean: precisions and machines differ by 0.003 at most, as the median of photographs
(measured on our tables)."""


def make_table(path: Path, runs: Mapping[str, Path], against: Sequence[str] = ()) -> list[Cells]:
    """Put the scores of several tests into one table and write its CSV files.

    Args:
        path: CSV file of the table; the other files are named after it.
        runs: Folder of each test's results, by the name of its row.
        against: Names of rows that all others are compared with.

    Returns:
        Lines of the table.

    Raises:
        UserError: If a test has no results, the tests have different photographs or score the
            unenhanced ones differently, or there is no row of a name in `against`.
    """
    entries, facts = read_tests(runs)
    paired = [line for name in against for line in comparisons(entries, name)]
    table = lines_of(entries)
    write_table(path, COLUMNS, table)
    write_table(path.with_name(f"{path.stem}_runs.csv"), ("row", *FACTS), facts)
    comparisons_path = against_path(path)
    if paired:
        write_table(comparisons_path, AGAINST, paired)
    else:
        comparisons_path.unlink(missing_ok=True)  # an earlier table's
    return table


def against_path(path: Path) -> Path:
    """Return the file of the comparisons that belong to a table's CSV file."""
    return path.with_name(f"{path.stem}_against.csv")


def label(name: str, subject: str, subjects: Iterable[str]) -> str:
    """Return the name of a table's row.

    Args:
        name: Name of the run.
        subject: One of its subjects.
        subjects: All its subjects.
    """
    networks = [s for s in subjects if s not in LABELS]
    return LABELS.get(subject, name if len(networks) == 1 else f"{name}, {subject}")


def photographs(rows: Sequence[ScoreRow]) -> set[Photograph]:
    """Return name, patient and condition of each photograph of a test."""
    return {(str(r["name"]), str(r["patient"]), str(r["condition"])) for r in rows}


def read_facts(path: Path) -> dict[str, object]:
    """Read a test's provenance.

    Raises:
        UserError: If the file is missing or damaged.
    """
    try:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the test again") from None
    except (ValueError, TypeError):
        raise UserError(f"{path}: is damaged; run the test again") from None


def read_tests(runs: Mapping[str, Path]) -> tuple[Entries, list[Cells]]:
    """Read the results of several tests.

    Args:
        runs: Folder of each test's results, by the name of its row.

    Returns:
        Scores by row, and the provenance of each row.

    Raises:
        UserError: If a run has no results, the tests have different photographs, or they score the
            unenhanced ones differently.
    """
    entries: Entries = {}
    facts: list[Cells] = []
    first: tuple[Path, set[Photograph]] | None = None
    reference: tuple[Path, Columns] | None = None
    for name, folder in runs.items():
        rows = read_rows(folder / "scores.csv")
        tested = photographs(rows)
        first = first or (folder, tested)
        if differing := sorted(first[1] ^ tested):
            example = ", ".join(differing[0])
            raise UserError(
                f"{folder} and {first[0]} are tests of different photographs ({len(tested)} and "
                f"{len(first[1])}; only in one of them: {example}): one table needs the same test"
            )
        subjects = list(dict.fromkeys(str(row["subject"]) for row in rows))
        columns = columns_of(rows)
        reference = reference or (folder, columns)
        _require_same_input(folder, columns, *reference)
        provenance = read_facts(folder / "provenance.json")
        for subject in subjects:
            entry = label(name, subject, subjects)
            entries.setdefault(entry, (subject, columns))  # input and clean: the first test's
            if subject not in LABELS:
                known = {fact: str(provenance.get(fact, "unknown")) for fact in FACTS}
                facts.append({"row": entry} | known)
    return entries, facts


def _require_same_input(folder: Path, columns: Columns, first: Path, expected: Columns) -> None:
    """Raise if two tests score the unenhanced photographs differently: they are not the same test.

    Raises:
        UserError: If they do, as at another size or by another judge.
    """
    for (subject, condition, score), column in columns.items():
        other = expected.get((subject, condition, score))
        if subject != UNTOUCHED or other is None or column.names != other.names:
            continue
        differences = np.abs(column.values - other.values)
        known = np.isfinite(differences)
        typical = np.abs(other.values[known]).mean() if known.any() else 0.0
        if known.any() and np.median(differences[known]) > SAME_INPUT * typical:
            means = (np.nanmean(column.values), np.nanmean(other.values))
            raise UserError(
                f"{folder} and {first} score the same unenhanced photographs differently ({score}, "
                f"{condition}: {means[0]:.4g} and {means[1]:.4g}): they are tests at another size "
                "or by another judge, and one table needs the same test"
            )


def lines_of(entries: Entries) -> list[Cells]:
    """Return the table's lines: the input's first, those of clean or high photographs last."""
    subjects = {name: subject for name, (subject, _) in entries.items()}
    first = [name for name, subject in subjects.items() if subject == UNTOUCHED]
    methods = [name for name, subject in subjects.items() if subject not in LABELS]
    last = [name for end in (CLEAN, HIGH) for name in subjects if subjects[name] == end]
    table = []
    for name in (*first, *methods, *last):
        subject, columns = entries[name]
        for line in summarise(columns, (subject,)):
            cells = {"row": name} | {k: _cell(v) for k, v in line._asdict().items()}
            cells.pop("subject")
            table.append(cells)
    return table


def comparisons(entries: Entries, against: str) -> list[Cells]:
    """Return the paired comparisons of all rows with one of them, by condition and score.

    Args:
        entries: All rows.
        against: Name of the row to compare with.

    Raises:
        UsageError: If there is no row of that name.
    """
    if against not in entries:
        raise UsageError(f"no row '{against}' to compare with; there are {', '.join(entries)}")
    subject_against, others = entries[against]
    lines = []
    for name, (subject, columns) in entries.items():
        if name == against or subject in LABELS:
            continue
        for (scored, condition, score), column in columns.items():
            other = others.get((subject_against, condition, score))
            if scored != subject or other is None:
                continue
            comparison = compared(score, _by_name(column), _by_name(other))
            if comparison is None:
                continue
            numbers = (comparison.difference, comparison.low, comparison.high)
            counts = (comparison.wins, comparison.ties, comparison.losses, comparison.p)
            texts = (name, against, condition, score, *map(_cell, (*numbers, *counts)))
            lines.append(dict(zip(AGAINST, texts, strict=True)))
    return lines


def _by_name(column: Column) -> Column:
    """Return a column with its photographs in the order of their names: tests may differ."""
    order = sorted(range(len(column.names)), key=column.names.__getitem__)
    return Column(
        [column.names[index] for index in order],
        [column.patients[index] for index in order],
        column.values[order],
    )


def _cell(value: object) -> str:
    """Return a CSV cell; NaN is empty."""
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    return str(value)


def overview(table: Sequence[Cells], scores: Sequence[str] = SCORES) -> str:
    """Return scores of a table as Markdown, under every condition that has all of them.

    Args:
        table: Lines of the table.
        scores: Names of the scores.

    Raises:
        UserError: If no condition has all scores.
    """
    available = {(cells["condition"], cells["score"]) for cells in table}
    conditions = list(dict.fromkeys(cells["condition"] for cells in table))
    complete = [c for c in conditions if all((c, score) in available for score in scores)]
    return as_markdown(table, scores, complete or conditions)


def as_markdown(table: Sequence[Cells], scores: Sequence[str], conditions: Sequence[str]) -> str:
    """Return chosen columns as Markdown, a line for every row that has any of their scores.

    Args:
        table: Lines of the table.
        scores: Names of the scores.
        conditions: Names of the conditions.

    Raises:
        UsageError: If the table lacks a score under a condition.
    """
    cells = {(c["row"], c["condition"], c["score"]): c for c in table}
    for condition in conditions:
        for score in scores:
            if not any(key[1:] == (condition, score) for key in cells):
                known = sorted({key[2] for key in cells if key[1] == condition})
                near = get_close_matches(score, known, n=1)
                meant = f" (did you mean {near[0]}?)" if near else f"; it has {', '.join(known)}"
                raise UsageError(f"the table has no score '{score}' under '{condition}'{meant}")
    rows = list(dict.fromkeys(c["row"] for c in table))
    if len(conditions) == 1:
        heads = [f"{condition}: {score}" for condition in conditions for score in scores]
        groups = [[(conditions[0], score)] for score in scores]
    else:
        heads = [condition.replace("_", ", ") for condition in conditions]
        groups = [[(condition, score) for score in scores] for condition in conditions]
    first = " / ".join(scores) if len(conditions) > 1 else ""
    lines = [f"| {first} | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    interval = len(conditions) == 1
    for row in rows:
        parts = [[cells.get((row, *key)) for key in group] for group in groups]
        if any(part is not None for group in parts for part in group):
            texts = (
                " / ".join(_formatted(part, interval=interval) for part in group) for group in parts
            )
            lines.append(f"| {row} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def _formatted(cells: Cells | None, *, interval: bool) -> str:
    """Return a rounded mean, with its interval if wanted; a dash where the score is missing."""
    if cells is None:
        return "–"  # noqa: RUF001
    mean = float(cells["mean"])
    digits = 2 if abs(mean) >= 5 else 3
    text = f"{mean:.{digits}f}"
    if interval and cells["low"]:
        text += f" [{float(cells['low']):.{digits}f}, {float(cells['high']):.{digits}f}]"
    return text


def put_into(path: Path, name: str, table: Sequence[Cells]) -> None:
    """Fill the markers that a Markdown file has for a table.

    Args:
        path: Markdown file.
        name: Name of the table in the markers.
        table: Lines of the table.

    Raises:
        UserError: If the file is missing, has no such marker, or one names a score that the table
            lacks.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    count = 0

    def fill(marker: re.Match[str]) -> str:
        nonlocal count
        if marker[1] != name:
            return marker[0]
        count += 1
        options = dict(part.split("=", 1) for part in marker[2].split())
        scores = options["scores"].split(",") if "scores" in options else SCORES
        every = dict.fromkeys(cells["condition"] for cells in table)
        conditions = options["conditions"].split(",") if "conditions" in options else list(every)
        content = as_markdown(table, scores, conditions)
        return f"<!-- table {name}{marker[2]} -->\n\n{content}\n\n<!-- end -->"

    text = MARKER.sub(fill, text)
    if not count:
        raise UserError(f"{path}: no marker '<!-- table {name} --> ... <!-- end -->' in it")
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")


def read_table(path: Path, needed: Collection[str] = ()) -> list[Cells]:
    """Read the lines of a table's CSV file.

    Args:
        path: The file.
        needed: Columns that it must have.

    Raises:
        UserError: If the file is missing, or lacks a needed column.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            lines = list(csv.DictReader(stream))
    except FileNotFoundError:
        raise UserError(f"{path}: no such table") from None
    if lines and (missing := [name for name in needed if name not in lines[0]]):
        raise UserError(f"{path}: is no such table: it lacks the column '{missing[0]}'")
    return lines


def write_table(path: Path, columns: Sequence[str], lines: Sequence[Cells]) -> None:
    """Write lines to a CSV file."""
    with atomic_write(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(lines)
