"""Keys of random numbers: a photograph's name sets them, not its index in a list."""

from __future__ import annotations

import zlib


def name_key(name: str) -> int:
    """Return the CRC-32 of a photograph's name, the same on every machine.

    A file name need not be valid UTF-8: its undecodable bytes are hashed as they are.

    Example:
        >>> name_key("eye.png")
        94968455
    """
    return zlib.crc32(name.encode("utf-8", "surrogateescape"))
