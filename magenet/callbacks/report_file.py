"""The report of a prediction: one line a photograph, in a file that several ranks share."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from magenet.errors import UserError

Row = dict[str, str | int | float]

COLUMNS = ("name", "status", "width", "height", "field_confidence", "mean_change", "reason")


class ReportFile:
    """Write `report.csv`: a line is on disk as soon as it is added.

    Several ranks cannot add to one file, so each writes a part, `report.part<rank>.csv`, of the
    same columns; the first rank merges them. A killed run leaves its parts, which can be read.

    Args:
        folder: Where it is; created if missing.
        rank: The own rank.
        ranks: Number of ranks.
    """

    def __init__(self, folder: Path, rank: int = 0, ranks: int = 1) -> None:
        self.whole = folder / "report.csv"
        self.parts = [folder / f"report.part{number}.csv" for number in range(ranks)]
        if ranks == 1:
            self.parts = [self.whole]
        self.rank = rank

    def start(self) -> None:
        """Start the own part, and find out now whether it can be written.

        The first rank removes what is left of an earlier run: it would pass for this one's.

        Raises:
            UserError: If it cannot be written.
        """
        folder = self.whole.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self.rank == 0:
                for old in {self.whole, *folder.glob("report.part[0-9]*.csv")} - {*self.parts}:
                    old.unlink(missing_ok=True)
            _write(self.parts[self.rank], [], "w")
        except OSError as error:
            raise UserError(f"{folder}: cannot write there ({error.strerror})") from None

    def add(self, row: Row) -> None:
        """Add a line to the own part.

        Raises:
            UserError: If the disk does not take it.
        """
        part = self.parts[self.rank]
        try:
            _write(part, [row], "a")
        except OSError as error:
            raise UserError(f"{part}: cannot be written ({error.strerror})") from None

    def merge(self, names: Iterable[str]) -> list[Row]:
        """Make one report of the parts of all ranks, once all have finished, and remove them.

        Args:
            names: Of the photographs, in the order that the report shall have.

        Returns:
            Its lines.
        """
        lines: dict[str, Row] = {}
        for part in self.parts:
            with part.open(newline="", encoding="utf-8") as stream:
                lines.update((line["name"], line) for line in csv.DictReader(stream))
        rows = [lines[name] for name in names if name in lines]
        _write(self.whole, rows, "w")
        for part in self.parts:
            part.unlink()
        return rows


def _write(path: Path, rows: list[Row], mode: str) -> None:
    """Write lines to a file: a new one, with its head, in mode `w`; at its end in mode `a`."""
    with path.open(mode, newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="")
        if mode == "w":
            writer.writeheader()
        writer.writerows(rows)
