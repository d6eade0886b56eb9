"""Public data sets: what is known of each, and what finding its photographs needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from data_modules.datasets.manifest import ManifestError, read_rows
from data_modules.files.old_formats import OLD_SUFFIXES
from data_modules.files.reading import SUFFIXES
from data_modules.public.entry import Entry
from magenet.errors import UserError

DEPTH = 3
"""How many folders deep the root of a set is looked for: archives unpack into folders of their
own."""


class Skipped(NamedTuple):
    """A file that is left out, and why."""

    file: str
    reason: str


class Listing(NamedTuple):
    """What the folder of a set holds.

    Attributes:
        entries: Its photographs.
        skipped: Files that are left out on purpose.
        missing: Photographs that its own tables name, but that are not there.
    """

    entries: list[Entry]
    skipped: list[Skipped]
    missing: list[str]


@dataclass(frozen=True)
class PublicSet:
    """A public set of fundus photographs.

    Attributes:
        name: Its name on the command line and in the column `set`.
        title: Its name in words.
        contents: What it has besides the photographs.
        licence: Its licence, and who says so.
        source: Where to obtain it.
        citation: What to cite.
        layout: What the folder must hold, in words, for the message if it does not.
        published: Number of photographs that its publication tells, by part.
        find: Lists the photographs of its folder.
        val_share: Share of the training patients that validate, where it has no such split.
        test_share: Share of the patients that test, where it has no such split.
        notes: What was not checked, or is our choice.
    """

    name: str
    title: str
    contents: str
    licence: str
    source: str
    citation: str
    layout: str
    published: Mapping[str, int]
    find: Callable[[Path], Listing]
    val_share: float = 0.0
    test_share: float = 0.0
    notes: str = field(default="")


class NotTheSetError(UserError):
    """A folder does not hold the set; the message says what is looked for."""


def find_root(folder: Path, *markers: str) -> Path:
    """Return the folder, itself or below, that has all the files or folders that mark a set's root.

    Args:
        folder: Folder that was named.
        markers: Patterns relative to the root.

    Raises:
        NotTheSetError: If there is none.
    """
    level = [folder]
    for _ in range(DEPTH + 1):
        for place in level:
            if all(next(place.glob(marker), None) is not None for marker in markers):
                return place
        level = sorted(child for place in level for child in place.iterdir() if child.is_dir())
    raise NotTheSetError(", ".join(markers))


def pictures(folder: Path, recursive: bool = False) -> list[Path]:
    """Return the pictures of a folder by name; none if it is missing.

    Args:
        folder: The folder.
        recursive: Whether those of sub-folders count.
    """
    if not folder.is_dir():
        return []
    files = folder.rglob("*") if recursive else folder.iterdir()
    return sorted(
        file
        for file in files
        if file.name.lower().endswith((*SUFFIXES, *OLD_SUFFIXES))
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and file.is_file()
    )


def by_stem(files: Iterable[Path]) -> dict[str, Path]:
    """Return files by their names without endings, in lower case; the first of each name."""
    found: dict[str, Path] = {}
    for file in files:
        found.setdefault(file.name.partition(".")[0].lower(), file)
    return found


def read_table(path: Path, *required: str) -> list[dict[str, str]]:
    """Return the rows of a CSV table; see :func:`data_modules.datasets.manifest.read_rows`.

    Rows without a value in a required column are left out: some tables end with empty ones.
    Spaces around names of columns and values do not count.

    Raises:
        UserError: If it cannot be read, or a column is missing.
    """
    columns, rows = read_rows(path, ())
    stripped = [
        {str(k).strip(): v.strip() for k, v in row.items() if isinstance(v, str)}
        for row in rows.values()
    ]
    known = [column.strip() for column in columns]
    for column in required:
        if column not in known:
            raise ManifestError(
                f"{path}: the column '{column}' is missing (columns: {', '.join(known)})"
            )
    return [row for row in stripped if all(row.get(column) for column in required)]


def grade_of(text: str) -> int | None:
    """Return a grade of diabetic retinopathy, or None if the text is none: empty, or ungradable.

    Example:
        >>> grade_of("3.0"), grade_of(""), grade_of("5")
        (3, None, None)
    """
    whole = text.removesuffix(".0")
    return int(whole) if whole in ("0", "1", "2", "3", "4") else None
