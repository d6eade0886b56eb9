"""Keys of random numbers: a photograph's name sets them, not its index in a list."""

from __future__ import annotations

import zlib


def name_key(name: str) -> int:
    """Return the CRC-32 of a photograph's name, the same on every machine.

    Example:
        >>> name_key("eye.png")
        94968455
    """
    return zlib.crc32(name.encode())
