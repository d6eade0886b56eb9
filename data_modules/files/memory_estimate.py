"""Memory needed by a photograph, estimated from its header before it is decoded."""

from __future__ import annotations

import re
from typing import NamedTuple

from magenet.allocator import make_room, resident
from magenet.errors import UsageError, UserError

MEBIBYTE = 1 << 20

NETWORK = 384 * MEBIBYTE
"""Memory of the network's pass and of the report, in bytes: 370 MiB measured at 512 px."""

RETAINED = 224 * MEBIBYTE
"""The part of it that libraries keep after their first use, in bytes: up to 200 MiB measured."""

NETWORK_SIDE = 512
"""Side that the square around the field is resized to, in pixels; a larger one has a bound of its
own in the enhancer, for the network and for the report."""

BAND_COLUMN = 168 * 256
"""Bytes per column of the photograph in a band of the transfer: 256 rows, measured. The allocator
keeps half of it."""


class Header(NamedTuple):
    """Header of a photograph, read without decoding any pixel.

    Attributes:
        width: In pixels, as stored: before the EXIF rotation.
        height: In pixels.
        sample_bytes: 1 for 8 bit, 2 for 16.
        decoding: Peak memory from the file to a tensor, in bytes.
        encoding: Memory of the encoder for a result of the same format, in bytes.
        notes: What a result will lack, in words: further pages, transparency.
        frames: Number of photographs of this size in the file.
    """

    width: int
    height: int
    sample_bytes: int
    decoding: int
    encoding: int
    notes: tuple[str, ...] = ()
    frames: int = 1


def parsed_memory(text: str, option: str = "max_memory") -> int:
    """Return the number of bytes in a text such as `1.5G`, `900M` or `2GiB`.

    Args:
        text: The text.
        option: Where it was given, for the message.

    Raises:
        UsageError: If it is not an amount of memory, or hardly any: the unit may be forgotten.

    Example:
        >>> parsed_memory("1.5G"), parsed_memory("512 MiB")
        (1610612736, 536870912)
    """
    number = r"([0-9]+(?:\.[0-9]*)?)"
    match = re.fullmatch(rf"\s*{number}\s*([KMGT]?)(i?B)?\s*", text, re.IGNORECASE)
    if match is None:
        raise UsageError(f"{option}: '{text}' is not an amount of memory: write 1.5G or 900M")
    count = int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))
    if count < MEBIBYTE:
        raise UsageError(f"{option}: '{text}' is less than 1 MiB: write 1.5G or 900M")
    return count


def as_text(count: int) -> str:
    """Return a number of bytes in a unit in which it is no small fraction.

    Example:
        >>> as_text(3 << 29), as_text(900 << 20), as_text(5 << 10)
        ('1.50 GiB', '900 MiB', '0.00488 MiB')
    """
    return (
        f"{count / 1024**3:.2f} GiB" if count >= 1000 * MEBIBYTE else f"{count / MEBIBYTE:.3g} MiB"
    )


def held_by(header: Header) -> int:
    """Return what a photograph holds with its result and the mask of its field, in bytes."""
    return (2 * 3 * header.sample_bytes + 1) * header.width * header.height


def memory_of(header: Header) -> int:
    """Return the peak memory of a photograph from reading to writing, in bytes.

    The parts follow each other, and the greatest counts. A square around the field has the longer
    side of the photograph at most; it is cut one colour at a time, as samples and as floats.
    """
    pixels = header.width * header.height
    image, mask = 3 * header.sample_bytes * pixels, pixels
    longer = max(header.width, header.height)
    field = image + 2 * mask + 5 * pixels
    square = image + mask + (4 + header.sample_bytes) * longer**2 + 8 * NETWORK_SIDE * longer
    network = image + mask + NETWORK
    held = RETAINED + held_by(header)
    transfer = held + BAND_COLUMN * longer
    writing = held + BAND_COLUMN * longer // 2 + header.encoding
    return max(header.decoding, field, square, network, transfer, writing)


def require_memory(header: Header, max_memory: int, others: int = 0) -> None:
    """Raise if a photograph does not fit into the memory.

    Args:
        header: Its header.
        max_memory: Bytes that the process may use.
        others: Number of photographs in a batch with it; counted as if they had its size.

    Raises:
        UserError: If it does not; the message gives the memory needed.
    """
    need = memory_of(header) + others * held_by(header)
    if not make_room(need, max_memory):
        batch = f" in a batch of {others + 1}" if others else ""
        raise UserError(
            f"is {header.width}x{header.height} px and needs {as_text(resident() + need)} of "
            f"memory{batch}; {as_text(max_memory)} are allowed (max_memory)"
        )
