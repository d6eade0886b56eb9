"""Keys of names: what is drawn for a photograph hangs on its name, never on its place in a list."""

from __future__ import annotations

import zlib


def name_key(name: str) -> int:
    """Return a key for a photograph's name, the same on every machine.

    Example:
        >>> name_key("eye.png")
        94968455
    """
    return zlib.crc32(name.encode())
