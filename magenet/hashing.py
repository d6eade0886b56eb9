"""Hashes: of names, which are keys of random numbers, and of files."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

DIGEST = 12
"""Characters of a hash that are shown to people."""


def name_key(name: str) -> int:
    """Return the CRC-32 of a photograph's name, the same on every machine.

    A photograph's name sets its random numbers, not its index in a list. A file
    name need not be valid UTF-8: its undecodable bytes are hashed as they are.

    Example:
        >>> name_key("eye.png")
        94968455
    """
    return zlib.crc32(name.encode("utf-8", "surrogateescape"))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
