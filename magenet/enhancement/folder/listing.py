"""`enhance.csv`: one line for each photograph, the same for every way to enhance."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import NamedTuple, Self

from data_modules.datasets.manifest import Photograph
from data_modules.files.output_paths import path_below
from data_modules.files.source import source_path
from magenet.atomic_write import atomic_write, make_folder
from magenet.enhancement.folder.shard import SHARDS, Shard
from magenet.enhancement.origin import ReportRow
from magenet.enhancement.page.entries import set_aside_page
from magenet.errors import UserError, printable
from magenet.folder_lock import FolderInUseError, FolderLock

NAME = "enhance.csv"

PATIENCE = 5.0
"""Seconds for which the last shard tries to lock the folder of the results."""

COLUMNS = (
    "name", "status", "verdict", "reason", "width", "height", "field_confidence",
    "light_share", "expected_error", "harmed_share", "mean_change", "colour_change",
    "brightness_drift", "vessel_lost", "vessel_invented", "seconds", "result", "source",
)  # fmt: skip
"""`mean_change` and `expected_error` are in grey levels of 255, whatever the bit depth."""

HEAD = dict(zip(COLUMNS, COLUMNS, strict=True))
"""The first line."""

TEXTS = ("name", "status", "verdict", "reason", "result", "source")
"""Columns of texts."""

FORMULA = ("=", "+", "-", "@")
"""Beginnings of a text that a spreadsheet takes for a formula."""


class Merged(NamedTuple):
    """Lines of a complete listing.

    Attributes:
        given: Those of this run's photographs, in their order, as texts.
        earlier: Those of earlier runs.
        missing: Names of photographs of this run without a line: those that came to a folder
            while shards ran, which each list what they find.
    """

    given: list[ReportRow]
    earlier: list[ReportRow]
    missing: list[str]


class Listing:
    """Writer of `enhance.csv`, which stands under this name only when it is complete.

    Until then it is `enhance.incomplete.csv`: first the lines of earlier runs, then a line for each
    photograph, on disk as soon as it is added. Several ranks cannot append to one file, so each
    other rank writes `enhance.incomplete<rank>.csv`. While it is open, no other process can write
    to the folder. As a context manager it starts the listing, and leaves it incomplete unless it
    was finished.

    Args:
        folder: Folder of the results; created if missing.
        rank: Rank of this process.
        ranks: Number of ranks.
    """

    def __init__(self, folder: Path, rank: int = 0, ranks: int = 1) -> None:
        self.whole = folder / NAME
        self.parts = [folder / f"enhance.incomplete{n or ''}.csv" for n in range(ranks)]
        self.part = self.parts[rank]
        self.rank = rank
        self.lock = FolderLock(folder)
        self.is_open = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Lock the folder, and start this rank's part with, on the first, the earlier lines.

        The page of an earlier run is set aside with its listing. After :meth:`publish`, also one
        that failed, it goes on with what is listed, and the folder stays locked if it fails.

        The first rank must have started before the others do.

        Raises:
            UserError: If the part cannot be written, another process writes to the folder, or an
                earlier listing is none.
        """
        folder = self.whole.parent
        make_folder(folder)
        goes_on = self.is_open
        try:
            if self.rank == 0 and not goes_on:
                self.lock.acquire()
            self.is_open = True
            found = self._left() if self.rank == 0 else []
            earlier = [line for path in (self.whole, *found) for line in _read(path)]
            if self.rank == 0:
                _replace(self.part, _without_replaced(earlier))
                for path in {self.whole, *found} - {self.part}:
                    path.unlink(missing_ok=True)
                shutil.rmtree(folder / SHARDS, ignore_errors=True)
                if not goes_on:
                    set_aside_page(folder)
            else:
                _replace(self.part, [])
        except (OSError, UserError) as error:
            if not goes_on:
                self.lock.release()
            if isinstance(error, UserError):
                raise
            raise UserError(f"{self.whole}: cannot be written ({error.strerror})") from None

    def _left(self) -> list[Path]:
        """Return the listings that earlier runs left incomplete, and those of shards.

        Raises:
            FolderInUseError: If a shard is still being enhanced.
        """
        folder = self.whole.parent
        for path in sorted(folder.glob(f"{SHARDS}/*")):
            lock = FolderLock(path)
            lock.acquire()
            lock.release()
        own, of_shards = folder.glob("enhance.incomplete*.csv"), folder.glob(f"{SHARDS}/*/*.csv")
        return [*sorted(own), *sorted(of_shards)]  # of two lines on a photograph the later counts

    def add(self, row: ReportRow) -> None:
        """Append a line to this rank's part.

        Raises:
            UserError: If it cannot be written; the part then ends with the line before.
        """
        text = _as_text([_line(row)])
        try:
            size = self.part.stat().st_size
            try:
                with self.part.open("ab") as stream:
                    stream.write(text)
            except OSError:
                with contextlib.suppress(OSError):
                    os.truncate(self.part, size)
                raise
        except OSError as error:
            raise UserError(f"{self.part}: cannot be written ({error.strerror})") from None

    def finish(self, photographs: Sequence[Photograph]) -> Merged:
        """Publish the listing once all ranks have finished, and release the folder.

        Args, returns and raises as :meth:`publish`.
        """
        merged = self.publish(photographs)
        self.is_open = False
        self.lock.release()
        return merged

    def publish(self, photographs: Sequence[Photograph]) -> Merged:
        """Merge the parts of all ranks into `enhance.csv`; the folder stays locked.

        Args:
            photographs: All photographs of the run, in the order that the listing shall have.

        Returns:
            Its lines.

        Raises:
            UserError: If it cannot be written, or a part cannot be removed; the parts are left.
        """
        keys = {
            (_cell("name", photograph.name), _cell("source", source_path(photograph))): number
            for number, photograph in enumerate(photographs)
        }
        lines = _without_replaced([line for part in self.parts for line in _read(part)])
        given = [line for line in lines if _key(line) in keys]
        given.sort(key=lambda line: keys[_key(line)])
        earlier = [line for line in lines if _key(line) not in keys]
        _replace(self.whole, [*given, *earlier])
        for part in self.parts:
            try:
                part.unlink()
            except OSError as error:
                raise UserError(f"{part}: cannot be removed ({error.strerror})") from None
        listed = {_key(line) for line in given}
        return Merged(given, earlier, [str(key[0]) for key in keys if key not in listed])

    def close(self) -> None:
        """Leave a listing that was not finished: incomplete, with the last line of each result."""
        if self.is_open and self.parts == [self.part] and self.part.exists():
            with contextlib.suppress(OSError, UserError):  # as it is, it can be read, too
                _replace(self.part, _without_replaced(_read(self.part)))
        self.is_open = False
        self.lock.release()


def merge_shards(shard: Shard, results: Path, photographs: Sequence[Photograph]) -> Merged | None:
    """Merge the listings of all shards into one, if this one was the last to finish.

    Args:
        shard: The shard that has finished.
        results: Folder of the results.
        photographs: All photographs of the run, in the order that the listing shall have.

    Returns:
        Its lines; None while other shards are left, or another process merges.

    Raises:
        UserError: If the listing cannot be written.
    """
    until = time.monotonic() + PATIENCE
    while all((other.folder(results) / NAME).exists() for other in shard.all()):
        try:
            with Listing(results) as listing:  # it takes over what the shards list
                return listing.finish(photographs)
        except FolderInUseError:  # of two that finish at once each may have seen the other's lock
            if time.monotonic() > until:
                return None
            time.sleep(0.1)
    return None


def require_alone(shard: Shard, results: Path) -> None:
    """Wait while another kind of run writes to the folder: a whole one, or one of other shards.

    Args:
        shard: The shard that is to begin.
        results: Folder of the results.

    Raises:
        FolderInUseError: If it still does after :data:`PATIENCE`: a last shard merges for a moment.
    """
    others = [p for p in results.glob(f"{SHARDS}/*of*") if not p.name.endswith(f"of{shard.total}")]
    until = time.monotonic() + PATIENCE
    for folder in (folder for folder in (results, *others) if folder.is_dir()):
        lock = FolderLock(folder)
        while True:
            try:
                lock.acquire()
            except FolderInUseError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                lock.release()
                break


def _key(line: ReportRow) -> tuple[str, str]:
    """Return what two lines on one photograph have in common."""
    return line["name"], line["source"]


def _without_replaced(lines: list[ReportRow]) -> list[ReportRow]:
    """Return lines without those that a later line replaces.

    It does so if it is on the same photograph, or on the result that is now under the same name.
    """
    kept: list[ReportRow] = []
    photographs: set[tuple[str, str]] = set()
    results: set[str] = set()
    for line in reversed(lines):
        result = _result(line["name"], line["result"])
        if _key(line) not in photographs and result not in results:
            kept.append(line)
        photographs.add(_key(line))
        results |= {result} - {""}
    return kept[::-1]


def _read(path: Path) -> list[ReportRow]:
    """Return the lines of a listing; none if it is missing.

    Of one that was appended to, a last line that was torn is left out. A whole one may have been
    saved by a spreadsheet program or an editor: with a byte-order mark, semicolons or tabs, other
    ends of lines, or none of the last line.

    Raises:
        UserError: If the file cannot be read, or is no listing.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig", "replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    whole = text if path.name == NAME else text[: text.rfind("\n") + 1]
    if not whole:
        return []
    try:
        mark = re.search("[,;\t]", whole)
        separator = mark[0] if mark else ","
        reader = csv.DictReader(io.StringIO(whole, newline=""), restval="", delimiter=separator)
        rows = [{name: row.get(name) or "" for name in COLUMNS} for row in reader]
    except csv.Error as error:
        raise UserError(f"{path}: is no listing of magenet ({error}); move it away") from None
    if not {"name", "status", "result"} <= set(reader.fieldnames or ()):
        raise UserError(f"{path}: is no listing of magenet; move it away")
    return rows


def _replace(path: Path, rows: list[ReportRow]) -> None:
    """Write a listing, whole or not at all.

    Raises:
        UserError: If it cannot be written.
    """
    with atomic_write(path) as half:
        half.write_bytes(_as_text([HEAD, *rows]))


def listing_of(reports: Iterable[ReportRow]) -> bytes:
    """Return a whole listing of reports, as `enhance.csv` has it."""
    return _as_text([HEAD, *map(_line, reports)])


def _line(report: ReportRow) -> ReportRow:
    """Return the line of a report."""
    return report | {
        "reason": "; ".join(report["reasons"]),
        "result": _result(report["name"], report.get("result")),
    }


def _result(name: str, file: str | None) -> str:
    """Return a result's path below the folder of all results; empty if there is none.

    Args:
        name: The photograph's name, with any sub-folders.
        file: The result's file, with or without its sub-folders (up to 0.2.2 lines had none).
    """
    return (path_below(Path(), name).parent / PurePosixPath(file).name).as_posix() if file else ""


def _as_text(rows: list[ReportRow]) -> bytes:
    """Return rows as lines of CSV."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    for row in rows:
        writer.writerow([_cell(name, row.get(name, "")) for name in COLUMNS])
    return stream.getvalue().encode("utf-8")


def _cell(column: str, value: object) -> object:
    """Return a value as a cell: a text in one line, and with `'` before what were a formula."""
    if column not in TEXTS:
        return value
    text = printable(str(value))
    return f"'{text}" if text.startswith(FORMULA) else text
