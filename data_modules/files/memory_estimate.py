"""Memory needed by a photograph, estimated from its header before it is decoded."""

from __future__ import annotations

import os
import re
from pathlib import Path

from magenet.errors import UsageError, UserError

MEBIBYTE = 1 << 20

COPIES = {1: 5, 2: 7}
"""Greatest number of copies of a photograph in memory, by bytes per sample: decoded (with alpha,
4 channels), as a tensor, one channel as floats, the result, and the encoder's."""


def parsed_memory(text: str) -> int:
    """Return the number of bytes in a text such as `1.5G`, `900M` or `2GiB`.

    Raises:
        UsageError: If it is not an amount of memory.

    Example:
        >>> parsed_memory("1.5G"), parsed_memory("512 MiB")
        (1610612736, 536870912)
    """
    number = r"([0-9]+(?:\.[0-9]*)?)"
    match = re.fullmatch(rf"\s*{number}\s*([KMGT]?)(i?B)?\s*", text, re.IGNORECASE)
    if match is None:
        raise UsageError(f"max_memory: '{text}' is not an amount of memory: write 1.5G or 900M")
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))


def as_text(count: int) -> str:
    """Return a number of bytes in a unit in which it is no small fraction.

    Example:
        >>> as_text(3 << 29), as_text(900 << 20), as_text(5 << 10)
        ('1.50 GiB', '900 MiB', '0.00488 MiB')
    """
    return f"{count / 1024**3:.2f} GiB" if count >= 1024**3 else f"{count / MEBIBYTE:.3g} MiB"


def resident() -> int:
    """Return the resident set size of the process in bytes; 400 MiB where it cannot be read."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 400 * MEBIBYTE
    return pages * os.sysconf("SC_PAGE_SIZE")


def memory_of(width: int, height: int, sample_bytes: int) -> int:
    """Return the peak memory of a photograph from reading to writing, in bytes.

    Args:
        width: In pixels.
        height: In pixels.
        sample_bytes: 1 for 8 bit, 2 for 16.
    """
    return COPIES[sample_bytes] * 3 * sample_bytes * width * height


def require_memory(width: int, height: int, sample_bytes: int, max_memory: int) -> None:
    """Raise if a photograph does not fit into the memory.

    Args:
        width: In pixels.
        height: In pixels.
        sample_bytes: 1 for 8 bit, 2 for 16.
        max_memory: Bytes that the process may use.

    Raises:
        UserError: If it does not; the message gives the memory needed.
    """
    need = resident() + memory_of(width, height, sample_bytes)
    if need > max_memory:
        raise UserError(
            f"is {width}x{height} px and needs {as_text(need)} of memory; "
            f"{as_text(max_memory)} are allowed (max_memory)"
        )
