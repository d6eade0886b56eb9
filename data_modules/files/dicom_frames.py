"""Pixel data of a DICOM file: where its frames lie, found without reading them."""

from __future__ import annotations

import os
import struct
from bisect import bisect_left
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from data_modules.files.errors import PictureError

if TYPE_CHECKING:
    from pydicom import FileDataset

UNDEFINED_LENGTH = 0xFFFFFFFF
"""Length of pixel data in fragments (DICOM PS3.5, A.4)."""

ITEM, SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
"""Tags of a fragment, and of what follows the last one."""

MOST_FRAGMENTS = 1 << 16
"""Greatest number of fragments of a file with fewer frames (our choice); it bounds memory."""


class PixelData(NamedTuple):
    """Pixel data of a file; nothing of it is decoded.

    Attributes:
        start: Position of the attribute in the file, so the size of all attributes before it.
        fragments: Position and length of each piece: a frame, or a part of one.
        frames: Slice of the pieces that each frame consists of.
    """

    start: int
    fragments: list[tuple[int, int]]
    frames: list[slice]

    @property
    def largest(self) -> int:
        """Return the size of the largest frame as it is stored, in bytes."""
        return max(sum(length for _, length in self.fragments[frame]) for frame in self.frames)


def locate_frames(
    path: str | Path, stream: BinaryIO, dataset: FileDataset, frames: int
) -> PixelData:
    """Return where the frames of a file lie, without reading them.

    Args:
        path: What to call the file in errors.
        stream: The file, at its pixel data, where pydicom stops before pixels.
        dataset: Its attributes.
        frames: Number of its frames.

    Raises:
        PictureError: If it has no pixel data, or less than its attributes say.
    """
    start = stream.tell()
    syntax = dataset.file_meta.TransferSyntaxUID
    order = "<" if syntax.is_little_endian else ">"
    head = stream.read(8 if syntax.is_implicit_VR else 12)
    if len(head) < 8 or struct.unpack(f"{order}HH", head[:4]) != (0x7FE0, 0x0010):
        raise PictureError(f"{path}: has no pixel data")
    length = struct.unpack(f"{order}L", head[-4:])[0]
    if syntax.is_encapsulated != (length == UNDEFINED_LENGTH):
        raise PictureError(f"{path}: has pixel data that are not '{syntax.name}', as it says")
    if syntax.is_encapsulated:
        return _locate_encapsulated(path, stream, start, frames)
    samples = 2 if dataset.PhotometricInterpretation == "YBR_FULL_422" else dataset.SamplesPerPixel
    size = dataset.Rows * dataset.Columns * samples * dataset.BitsAllocated // 8
    first = stream.tell()
    there = min(length, os.fstat(stream.fileno()).st_size - first)
    if dataset.PhotometricInterpretation == "YBR_FULL_422" and there >= frames * size * 3 // 2:
        raise PictureError(
            f"{path}: says that its colours are subsampled (YBR_FULL_422), but they are not; "
            "correct its Photometric Interpretation (YBR_FULL or RGB)"
        )
    if there < frames * size:
        raise PictureError(
            f"{path}: has {there} bytes of pixel data where its attributes say {frames * size}; "
            "it is cut off or damaged"
        )
    places = [(first + number * size, size) for number in range(frames)]
    return PixelData(start, places, [slice(number, number + 1) for number in range(frames)])


def _locate_encapsulated(path: str | Path, stream: BinaryIO, start: int, frames: int) -> PixelData:
    """Return where compressed frames lie, by the offset table where they have several pieces."""
    end = os.fstat(stream.fileno()).st_size
    table: bytes | None = None
    fragments: list[tuple[int, int]] = []
    while True:
        head = stream.read(8)
        *tag, length = struct.unpack("<HHL", head) if len(head) == 8 else (*SEQUENCE_END, 0)
        if tuple(tag) == SEQUENCE_END:
            break
        if tuple(tag) != ITEM or stream.tell() + length > end:
            raise PictureError(f"{path}: has pixel data that are cut off or damaged")
        if table is None:
            table = stream.read(length)
            continue
        fragments.append((stream.tell(), length))
        if len(fragments) > max(frames, MOST_FRAGMENTS):
            raise PictureError(f"{path}: has pixel data in too many pieces; it is damaged")
        stream.seek(length, os.SEEK_CUR)
    if len(fragments) < frames:
        raise PictureError(
            f"{path}: has {len(fragments)} frames where its attributes say {frames}; it is cut off "
            "or damaged"
        )
    if frames == 1:
        return PixelData(start, fragments, [slice(len(fragments))])
    if len(fragments) == frames:
        return PixelData(start, fragments, [slice(n, n + 1) for n in range(frames)])
    assert table is not None  # there are fragments
    offsets = struct.unpack(f"<{len(table) // 4}L", table[: len(table) // 4 * 4])
    places = [place - fragments[0][0] for place, _ in fragments]
    firsts = [bisect_left(places, offset) for offset in offsets]
    bounds = [*firsts, len(fragments)]
    if len(offsets) != frames or firsts[0] != 0 or bounds != sorted(set(bounds)):
        raise PictureError(
            f"{path}: has {frames} frames in {len(fragments)} pieces and no offset table that "
            "tells them apart"
        )
    return PixelData(
        start, fragments, [slice(*pair) for pair in zip(firsts, bounds[1:], strict=True)]
    )
