"""What photographs and the network cost in memory."""

from __future__ import annotations

import os
import re
from pathlib import Path

from torch import nn

from magenet.errors import UsageError, UserError

MEBIBYTE = 1 << 20

BYTES_PER_PIXEL = 700
"""Memory of a forward pass of `compact`, per pixel that it sees: measured 360 at 2048 px, and
twice that to be safe. Networks of other sizes: by their width."""

COMPACT_WIDTH = 32

COPIES = {1: 5, 2: 7}
"""Times that a photograph is in memory at most, by the bytes of a sample: decoded (with alpha, 4
colours), as a tensor, one colour as floats, the result, and what encodes it."""


def parsed_memory(text: str) -> int:
    """Return bytes of a text like `1.5G`, `900M` or `2GiB`.

    Raises:
        UsageError: If it is none.

    Example:
        >>> parsed_memory("1.5G"), parsed_memory("512 MiB")
        (1610612736, 536870912)
    """
    number = r"([0-9]+(?:\.[0-9]*)?)"
    match = re.fullmatch(rf"\s*{number}\s*([KMGT]?)(i?B)?\s*", text, re.IGNORECASE)
    if match is None:
        raise UsageError(f"--max-memory: '{text}' is not an amount of memory: write 1.5G or 900M")
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))


def resident() -> int:
    """Return the bytes of memory that the process uses now; a guess where the system has no say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 400 * MEBIBYTE
    return pages * os.sysconf("SC_PAGE_SIZE")


def memory_of(width: int, height: int, sample_bytes: int) -> int:
    """Return the bytes that a photograph takes on its way from file to file, at most.

    Args:
        width: In pixels.
        height: In pixels.
        sample_bytes: 1 for 8 bit, 2 for 16.
    """
    return COPIES[sample_bytes] * 3 * sample_bytes * width * height


def require_memory(width: int, height: int, sample_bytes: int, max_memory: int) -> None:
    """Refuse a photograph that could not be held in memory, before it is decoded.

    Args:
        width: In pixels.
        height: In pixels.
        sample_bytes: 1 for 8 bit, 2 for 16.
        max_memory: Bytes that the process may use.

    Raises:
        UserError: With what it would need.
    """
    need = resident() + memory_of(width, height, sample_bytes)
    if need > max_memory:
        raise UserError(
            f"is {width}x{height} px and needs {need / 1024**3:.1f} GiB of memory; allowed are "
            f"{max_memory / 1024**3:.1f} (--max-memory)"
        )


def require_network_memory(network: nn.Module, size: int, max_memory: int) -> None:
    """Refuse a network that does not fit into the memory.

    Args:
        network: What runs.
        size: Side of the square that it sees, in pixels.
        max_memory: Bytes that the process may use.

    Raises:
        UserError: With what it would need.
    """
    width = int(getattr(network, "stems")[-1].out_channels)  # noqa: B009
    need = resident() + BYTES_PER_PIXEL * width // COMPACT_WIDTH * size**2
    if need > max_memory:
        raise UserError(
            f"--max-memory: {max_memory / MEBIBYTE:.0f} MiB are too little for this network at "
            f"{size} px; give {need / MEBIBYTE:.0f}M at least"
        )
