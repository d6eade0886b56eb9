"""HTML report: a page with a table of all photographs, each before and after, with its uncertainty.

The page holds texts, numbers and thumbnails. The pictures are files in a folder beside it, named by
a hash, which the browser reads when they are looked at.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data_modules.datasets.manifest import REPORT_PICTURE
from magenet.atomic_write import atomic_write
from magenet.enhancement.decisions import Decision
from magenet.enhancement.page.pictures import (
    QUALITY,
    heat_map,
    is_decodable,
    reduced,
    thumbnail_of,
)
from magenet.enhancement.page.template import error_level, filled_template
from magenet.errors import UserError

INCOMPLETE = (
    '<p role="alert" style="position: sticky; bottom: 0; padding: .6rem 1.5rem; background: '
    'var(--amber-ground); color: var(--amber)">This page is incomplete: the run was stopped before '
    "the last photograph.</p>\n"
)
"""Notice on an incomplete page."""

ENTRIES = "<!-- entries -->"
"""Placeholder of the photographs in the template."""

ENDINGS = {"before": ".jpg", "after": ".jpg", "uncertainty": ".png"}
"""Kinds of pictures, and the endings of their files."""


class PageEntry(NamedTuple):
    """A photograph on the page.

    Attributes:
        name: Name of the photograph.
        status: `enhanced`, `refused`, `failed` or `skipped`.
        verdict: `ok`, `check` or `abstain` (do not use); empty where nothing was enhanced.
        reason: Of the status or the verdict, in plain text; may be empty.
        before: The unenhanced photograph, uint8 `(H, W, 3)`, of any size.
        after: The enhanced photograph.
        uncertainty: Expected absolute error in [0, 1], float32 `(h, w)`, of any size, 0 outside
            the field.
        facts: Columns of the table by name; a number that is not finite leaves its cell empty.
        result: What identifies the result, such as its hash, or the photograph where there is
            none; may be empty. Pictures that are not given are taken from an earlier page in the
            same place, where it showed the same result of the same photograph. A decision is on
            this result.
        links: Addresses of its files by what they are, relative to the page.
    """

    name: str
    status: str
    verdict: str
    reason: str
    before: NDArray[np.uint8] | None
    after: NDArray[np.uint8] | None
    uncertainty: NDArray[np.float32] | None
    facts: Mapping[str, float | int | str]
    result: str = ""
    links: Mapping[str, str] = MappingProxyType({})


class PageWriter:
    """Writer of the page and of the pictures beside it, `<page>_files`.

    A photograph is on disk as soon as it is added, so that memory does not grow with their
    number. Until `close` it is `.<name>.<process>.page.part`: a run that stops early leaves no
    incomplete page under the final name, but `<stem>.incomplete.html`, which says so. As a context
    manager it closes the page, or discards it after an exception.

    Args:
        path: File to write, in a folder that exists.
        about: What made the results, in one line under the title; nothing if empty.
        run: Key of the run, under which the browser keeps decisions.
        decisions: Decisions to show, by :func:`entry_id`.

    Attributes:
        decided: Those of their ids that are on the page.

    Raises:
        UserError: If it cannot be written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with PageWriter(Path(folder, "page.html")) as page:
        ...         page.add(PageEntry("a.jpg", "failed", "", "torn", None, None, None, {}))
        ...     sorted(file.name for file in Path(folder).iterdir())
        ['page.html']
    """

    def __init__(
        self,
        path: str | Path,
        about: str = "",
        run: str = "",
        decisions: Mapping[str, Decision] = MappingProxyType({}),
    ) -> None:
        self.path = Path(path)
        if self.path.is_dir():  # fails now, not after the last photograph
            raise UserError(f"{path}: cannot be written (it is a folder)")
        self.folder = self.path.with_name(f"{self.path.stem}_files")
        self.part = self.path.with_name(f".{self.path.name}.{os.getpid()}.page.part")
        self.count = 0
        self.files: set[str] = set()  # names of the pictures on this page
        self.new: set[str] = set()  # those of them that no earlier page had
        self.decisions = decisions
        self.decided: set[str] = set()
        head, self.tail = filled_template(self.folder.name, about, run).split(ENTRIES)
        try:
            self.stream = self.part.open("w", encoding="utf-8", newline="\n")
            self.begun = self.part.stat().st_mtime_ns
        except OSError as error:
            raise self._cannot(error) from None
        self._write(head)
        self.end = self.stream.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exception is None:
            self.close()
        else:
            self.discard()

    def has(self, name: str, result: str) -> bool:
        """Return whether an earlier page in the same place has shown a result, before and after.

        Args:
            name: Name of the photograph.
            result: See :class:`PageEntry`.
        """
        return all(is_decodable(self._file(name, result, kind)) for kind in ("before", "after"))

    def add(self, entry: PageEntry) -> None:
        """Add a photograph to the page.

        Args:
            entry: The photograph.

        Raises:
            UserError: If the page or a picture cannot be written; the incomplete page is removed.
        """
        given = {
            "before": None if entry.before is None else reduced(entry.before),
            "after": None if entry.after is None else reduced(entry.after),
            "uncertainty": None if entry.uncertainty is None else heat_map(entry.uncertainty),
        }
        addresses = {}
        for kind, picture in given.items():
            file = self._file(entry.name, entry.result, kind)
            if picture is not None:
                self._write_picture(picture, file)
            elif entry.result and is_decodable(file):
                with contextlib.suppress(OSError):  # of another person's: it may be read only
                    os.utime(file)  # in use again
            else:
                continue
            self.files.add(file.name)
            addresses[kind] = f"{quote(os.fsencode(self.folder.name))}/{file.name}"
        shown = next((kind for kind in ("after", "before") if kind in addresses), None)
        thumbnail = "" if shown is None else thumbnail_of(self.folder / Path(addresses[shown]).name)
        # A data block: the browser makes a row of the table only when it is scrolled to.
        decision = self.decisions.get(entry_id(entry.name, entry.result))
        if decision is not None:
            self.decided.add(entry_id(entry.name, entry.result))
        description = _description(entry, addresses, thumbnail, decision)
        self._write(f'<script type="application/json">{description}</script>\n')
        self.end = self.stream.tell()
        self.count += 1

    def publish(self) -> None:
        """Write the page as it is now under its final name; more photographs can follow.

        Raises:
            UserError: If it cannot be written.
        """
        with atomic_write(self.path) as copy:
            shutil.copyfile(self.part, copy)
            with copy.open("a", encoding="utf-8", newline="\n") as stream:
                stream.write(self.tail)
        self.new.clear()  # from now on a page shows them

    def close(self, complete: bool = True) -> None:
        """End the page, and rename it to its final name.

        Args:
            complete: Whether all photographs were added. An incomplete page gets another name, and
                an earlier page under the final name is kept.

        Raises:
            UserError: If it cannot be written; the incomplete page is removed.
        """
        if self.stream.closed:
            return
        incomplete = self.path.with_name(f"{self.path.stem}.incomplete{self.path.suffix}")
        self.stream.seek(self.end)  # an interrupt may have left a part of an entry
        self.stream.truncate()
        self._write(self.tail if complete else INCOMPLETE + self.tail)
        try:
            self.stream.close()
            self.part.replace(self.path if complete else incomplete)
            if complete:
                incomplete.unlink(missing_ok=True)
        except OSError as error:
            self.discard()
            raise self._cannot(error) from None

    def remove_old(self) -> None:
        """Remove what earlier pages left and this one, which is closed, does not show.

        Not after a run that stopped early: the next one may need the pictures. What has changed
        since this page was begun belongs to a run beside this one and stays.
        """
        parts = self.path.parent.glob(f".{glob.escape(self.path.name)}.*.part")
        beside = self.folder.iterdir() if self.folder.is_dir() else []
        pictures = (f for f in beside if REPORT_PICTURE.fullmatch(f"{f.parent.name}/{f.name}"))
        for file in (*parts, *pictures):
            with contextlib.suppress(OSError):  # a file more does no harm
                if file.name not in self.files and file.stat().st_mtime_ns < self.begun:
                    file.unlink()
        with contextlib.suppress(OSError):  # it is not empty
            self.folder.rmdir()

    def discard(self) -> None:
        """Remove a page that was not closed, and the pictures that no other page shows."""
        with contextlib.suppress(OSError):  # a full disk fails once more over what is left
            self.stream.close()
        for file in (self.part, *(self.folder / name for name in self.new)):
            with contextlib.suppress(OSError):
                file.unlink()
        with contextlib.suppress(OSError):  # it is not empty
            self.folder.rmdir()

    def _file(self, name: str, result: str, kind: str) -> Path:
        """Return the file of a picture; its name is a hash, so a photograph's may be any."""
        return self.folder / f"{_identity(name, result)}-{kind}{ENDINGS[kind]}"

    def _write_picture(self, picture: Image.Image, file: Path) -> None:
        """Write a picture beside the page."""
        is_new = not file.exists()
        options = {"quality": QUALITY} if file.suffix == ".jpg" else {}
        try:
            with atomic_write(file) as part:
                picture.save(part, "jpeg" if file.suffix == ".jpg" else "png", **options)
        except UserError:
            self.discard()
            raise
        if is_new:
            self.new.add(file.name)

    def _write(self, text: str) -> None:
        """Write to disk."""
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError as error:
            self.discard()
            raise self._cannot(error) from None

    def _cannot(self, error: OSError) -> UserError:
        """Return the error to raise."""
        return UserError(f"{self.path}: cannot be written ({error.strerror or error})")


def entry_id(name: str, result: str) -> str:
    """Return the id of a photograph and its result, by which decisions are kept and exported.

    It begins with a letter, so that no spreadsheet takes it for a number.

    Args:
        name: Name of the photograph.
        result: See :class:`PageEntry`.
    """
    return f"p{_identity(name, result)}"


def _identity(name: str, result: str) -> str:
    """Return a hash of a photograph's name and of its result."""
    return hashlib.sha256(f"{name}\n{result}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _description(
    entry: PageEntry, pictures: dict[str, str], thumbnail: str, decision: Decision | None
) -> str:
    """Return an entry as JSON that cannot end the script block it is in.

    Args:
        entry: The photograph.
        pictures: Addresses of its pictures by kind, relative to the page.
        thumbnail: Data URL, or empty.
        decision: That of a person, if there is one.
    """
    facts = {
        name: _number(value) if not isinstance(value, str) else value
        for name, value in entry.facts.items()
    }
    error = facts.get("expected_error")
    description = {
        "name": entry.name, "status": entry.status, "verdict": entry.verdict,
        "reason": entry.reason, "facts": facts,
        "error_level": error_level(error) if isinstance(error, int | float) else "",
        "pictures": pictures, "thumbnail": thumbnail, "links": dict(entry.links),
        "id": entry_id(entry.name, entry.result),
    }  # fmt: skip
    if decision is not None:
        description["decision"] = decision._asdict()
    # In ASCII: a file name that is not valid Unicode cannot be written otherwise.
    text = json.dumps(description, allow_nan=False)
    return text.replace("<", "\\u003c")


def _number(value: float) -> float | None:
    """Return a number, possibly NumPy's, as JSON can hold it; None if it is not finite."""
    if isinstance(value, int):
        return value
    return float(value) if math.isfinite(value) else None
