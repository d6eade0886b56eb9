"""ZIP archives that are sent while they are made: no copy on disk, little memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

CHUNK = 1 << 18
"""Bytes that are read at a time."""


class Member(NamedTuple):
    """A file of an archive.

    Attributes:
        name: Its name there; made unique, should two have the same.
        content: Its content, or the file that holds it; one that is missing is left out.
    """

    name: str
    content: bytes | Path


class _Pipe(io.RawIOBase):
    """What the archive is written to, and its chunks are taken from; it cannot be sought in."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, chunk: object) -> int:
        """Keep a chunk."""
        content = bytes(chunk)  # type: ignore[call-overload]  # any buffer
        self.chunks.append(content)
        return len(content)

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        content = b"".join(self.chunks)
        self.chunks.clear()
        return content


def zipped(members: Iterable[Member]) -> Iterator[bytes]:
    """Yield an archive in chunks; pictures are compressed already, so nothing is compressed again.

    Args:
        members: Its files.
    """
    pipe, names = _Pipe(), set[str]()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            try:
                stream = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
            except OSError:  # deleted meanwhile
                continue
            entry = zipfile.ZipInfo(unique_name(name, names))
            entry.external_attr = 0o600 << 16
            with stream, archive.open(entry, "w", force_zip64=True) as target:
                while chunk := stream.read(CHUNK):
                    target.write(chunk)
                    yield pipe.taken()
    yield pipe.taken()


def unique_name(name: str, taken: set[str]) -> str:
    """Return a name that differs from all that are taken, and take it.

    Upper and lower case count as equal, as on many systems.

    Example:
        >>> taken = set()
        >>> [unique_name(name, taken) for name in ("a/eye.jpg", "A/Eye.jpg", "eye.jpg")]
        ['a/eye.jpg', 'A/Eye (2).jpg', 'eye.jpg']
    """
    path = PurePosixPath(name)
    number, unique = 1, name
    while unique.casefold() in taken:
        number += 1
        unique = str(path.with_name(f"{path.stem} ({number}){path.suffix}"))
    taken.add(unique.casefold())
    return unique
