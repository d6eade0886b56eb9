"""Decisions of a person on photographs, as the page exports them: `decisions.csv`."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple, cast, get_args

from magenet.errors import UserError

Choice = Literal["accept", "reject", ""]

COLUMNS = ("id", "decision", "note", "date")
"""Columns that are read; the others are for people."""

QUOTED = re.compile(r"\A'(?='*[=+@\t\r-])")
"""Begins a note that a spreadsheet would take for a formula."""

DATE = re.compile(r"\d{4}-\d\d-\d\dT[\d:]{8}Z")
"""Dates that can be compared as texts."""


class Decision(NamedTuple):
    """What a person says of one photograph.

    Attributes:
        decision: `accept`, `reject`, or empty where only a note was written.
        note: Free text.
        date: When, in UTC, as `2026-11-28T09:30:00Z`. Where it is not known, or was written by a
            spreadsheet in its own way, that of the file. The later of two decisions counts.
        photograph: Its file, for messages; empty where the column was deleted.
    """

    decision: Choice
    note: str = ""
    date: str = ""
    photograph: str = ""


def read_decisions(path: Path) -> dict[str, Decision]:
    """Return the decisions in a CSV, by the id of photograph and result.

    Lines without decision, note and date are left out: nobody has looked at that photograph. Of two
    lines with one id the later one counts.

    Args:
        path: What the page exported, or what a spreadsheet made of it: separated by commas,
            semicolons or tabs.

    Raises:
        UserError: If it cannot be read, lacks a column, or a decision is another word; the message
            names the line.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not in UTF-8: save it as 'CSV UTF-8'") from None
    mark = re.search("[,;\t]", text)
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=mark[0] if mark else ",", restval=""
    )
    decisions: dict[str, Decision] = {}
    try:
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise UserError(
                f"{path}: lacks the column(s) {', '.join(missing)}; export it from report.html"
            )
        for row in reader:
            choice = row["decision"].strip().lower()
            if choice not in get_args(Choice):
                raise UserError(
                    f"{path}: line {reader.line_num}: the decision is {row['decision']!r}; write "
                    "accept or reject, or leave it empty"
                )
            if choice or row["note"] or row["date"]:
                note = QUOTED.sub("", row["note"])
                date = row["date"] if DATE.fullmatch(row["date"]) else changed
                earlier = decisions.get(row["id"])
                if earlier is None or date >= earlier.date:
                    decisions[row["id"]] = Decision(
                        cast(Choice, choice), note, date, row.get("photograph") or ""
                    )
    except csv.Error as error:
        raise UserError(f"{path}: is no CSV file ({error})") from None
    return decisions
