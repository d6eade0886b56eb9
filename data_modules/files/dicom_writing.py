"""Writing of results as DICOM files, frame by frame."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data_modules.files.dicom import errors_named, located, opened
from data_modules.files.dicom_result import Processing, derived_attributes
from data_modules.files.errors import PictureError


def write_dicom(
    frames: Iterable[Tensor],
    path: Path,
    source: str | Path,
    metadata: str = "clinical",
    processing: Processing | None = None,
) -> None:
    """Write photographs as one derived DICOM image, frame by frame, uncompressed.

    An ophthalmic photograph stays one: Ophthalmic Photography 8 or 16 Bit Image Storage, by its
    type. Other kinds of photograph keep their kind. The result is in a series of its own, whose UID
    is a hash of the study, the original series and the processing: runs that go on later add to the
    same series. Its SOP Instance UID is always new.

    Attributes that the standard demands and that the original lacks (laterality, say) stay absent:
    nobody here knows them.

    Args:
        frames: uint8 or uint16 `(3, H, W)`, as many as the source has, all of one type.
        path: File to write.
        source: The DICOM file that they were made from.
        metadata: What is kept of its attributes: `keep`, `clinical` or `none`; see
            :mod:`data_modules.files.dicom_attributes`.
        processing: What made them.

    Raises:
        PictureError: If the source cannot be read, or has another number of frames.
        OSError: If the file cannot be written.

    References:
        DICOM PS3.3: A.41 and A.42 (Ophthalmic Photography), C.7.6.1.1.2 to C.7.6.1.1.4 (derived
        images), C.8.17.2 (Ophthalmic Photography Image), C.12.1.1.5 (contributing equipment).
    """
    processing = Processing() if processing is None else processing
    remaining = iter(frames)
    first = next(remaining)
    with errors_named(source):
        with opened(source) as (stream, original):
            pixels = located(source, stream, original)
        count = len(pixels.frames)
        bits = original.SamplesPerPixel * original.BitsAllocated * original.Rows * original.Columns
        ratio = bits * count / (8 * sum(length for _, length in pixels.fragments))
        result = derived_attributes(original, first, metadata, processing, ratio)
    size = first.numel() * first.element_size()
    with open(path, "wb") as file:
        with errors_named(source):  # values of the original that cannot be encoded
            result.save_as(file, enforce_file_format=True)
        kind = b"OB" if first.dtype == torch.uint8 else b"OW"
        padding = size * count % 2
        file.write(struct.pack("<HH2s2xL", 0x7FE0, 0x0010, kind, size * count + padding))
        file.write(_samples(first))
        del first  # one frame at a time
        written = 1
        for frame in remaining:
            file.write(_samples(frame))
            written += 1
            del frame  # before the next one is made
        file.write(bytes(padding))
    if written != count:
        raise PictureError(f"{source}: holds {count} frames, but {written} were enhanced")


def _samples(image: Tensor) -> bytes:
    """Return `(3, H, W)` as bytes, colour by pixel, little endian."""
    values = image.permute(1, 2, 0).numpy()
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()
