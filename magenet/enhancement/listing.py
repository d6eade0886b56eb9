"""`enhance.csv`: one line for each photograph, the same for every way to enhance."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from magenet.atomic_write import make_folder
from magenet.errors import UserError

ReportRow = dict[str, Any]
"""Report on one photograph, as its `.json` file holds it."""

NAME = "enhance.csv"

COLUMNS = (
    "name", "status", "verdict", "reason", "width", "height", "field_confidence",
    "light_share", "expected_error", "mean_change", "colour_change",
    "brightness_drift", "vessel_lost", "vessel_invented", "seconds", "result",
)  # fmt: skip
"""`mean_change` and `expected_error` are in grey levels of 255, whatever the bit depth."""


class Listing:
    """Writer of `enhance.csv`: a line is on disk as soon as it is added.

    Several ranks cannot append to one file, so each writes a part, `enhance.part<rank>.csv`, of the
    same columns; the first rank merges them. A killed run leaves its parts, which can be read.

    Args:
        folder: Folder of the results; created if missing.
        rank: Rank of this process.
        ranks: Number of ranks.
    """

    def __init__(self, folder: Path, rank: int = 0, ranks: int = 1) -> None:
        self.whole = folder / NAME
        self.parts = [folder / f"enhance.part{number}.csv" for number in range(ranks)]
        if ranks == 1:
            self.parts = [self.whole]
        self.rank = rank

    def start(self) -> None:
        """Start this rank's part, and find out before any work whether it can be written.

        The first rank removes what an earlier run left: it would be taken for this run's.

        Raises:
            UserError: If it cannot be written.
        """
        folder = self.whole.parent
        make_folder(folder)
        try:
            if self.rank == 0:
                for old in {self.whole, *folder.glob("enhance.part[0-9]*.csv")} - {*self.parts}:
                    old.unlink(missing_ok=True)
            _write(self.parts[self.rank], [], "w")
        except OSError as error:
            raise UserError(f"{self.whole}: cannot be written ({error.strerror})") from None

    def add(self, row: ReportRow) -> None:
        """Append a line to this rank's part.

        Raises:
            UserError: If it cannot be written.
        """
        part = self.parts[self.rank]
        try:
            _write(part, [row | {"reason": "; ".join(row["reasons"])}], "a")
        except OSError as error:
            raise UserError(f"{part}: cannot be written ({error.strerror})") from None

    def merge(self, names: Iterable[str]) -> list[ReportRow]:
        """Merge the parts of all ranks into `enhance.csv` once all have finished.

        Args:
            names: Names of the photographs, in the order that the listing shall have.

        Returns:
            Its lines, as texts.
        """
        lines: dict[str, ReportRow] = {}
        for part in self.parts:
            with part.open(newline="", encoding="utf-8") as stream:
                lines.update((line["name"], dict(line)) for line in csv.DictReader(stream))
        escaped = [name.encode("utf-8", "backslashreplace").decode() for name in names]
        rows = [lines[name] for name in escaped if name in lines]
        _write(self.whole, rows, "w")
        for part in self.parts:
            if part != self.whole:
                part.unlink()
        return rows


def _write(path: Path, rows: list[ReportRow], mode: str) -> None:
    """Write lines to a file: a new one with its header in mode `w`, appended in mode `a`."""
    # Names that are not valid Unicode, of other systems, are written with escapes.
    with path.open(mode, newline="", encoding="utf-8", errors="backslashreplace") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="", extrasaction="ignore")
        if mode == "w":
            writer.writeheader()
        writer.writerows(rows)
