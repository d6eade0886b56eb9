"""Decoding of the frames of a DICOM file, one at a time, by pydicom and its plugins."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from data_modules.files.dicom_frames import PixelData
from data_modules.files.errors import PictureError

if TYPE_CHECKING:
    from pydicom import FileDataset

JPEG_SIZES = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
"""Second bytes of the markers that hold the size of a JPEG picture (SOF; 0xF7: of JPEG-LS)."""

JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
"""Second bytes of the markers without a segment (ITU-T T.81, B.1.1.3)."""


def decode_frames(
    path: str | Path, stream: BinaryIO, dataset: FileDataset, pixels: PixelData
) -> Iterator[np.ndarray[Any, Any]]:
    """Decode the frames of a file one after the other.

    Args:
        path: What to call the file in errors.
        stream: The file.
        dataset: Its attributes.
        pixels: Where its frames lie.

    Yields:
        Samples as stored, `(H, W)` or `(H, W, 3)`; YBR is converted to RGB.

    Raises:
        PictureError: If a frame has another size than the attributes say.
    """
    for frame in pixels.frames:
        stored = bytearray()
        for place, length in pixels.fragments[frame]:
            stream.seek(place)
            stored += stream.read(length)
        yield _decode(path, dataset, bytes(stored))


def _decode(path: str | Path, dataset: FileDataset, stored: bytes) -> np.ndarray[Any, Any]:
    """Return the samples of one frame."""
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.utils import as_pixel_options

    syntax = dataset.file_meta.TransferSyntaxUID
    plugin = ""
    if syntax.is_encapsulated:
        _require_size(path, dataset, stored)
        plugin = plugin_for(syntax, int(dataset.BitsAllocated))
        stored = encapsulate([stored], has_bot=False)
    options = as_pixel_options(
        dataset,
        number_of_frames=1,
        transfer_syntax_uid=syntax,
        pixel_keyword="PixelData",
        # As bytes where samples are bytes: words of big endian files would be swapped.
        pixel_vr="OB" if dataset.BitsAllocated == 8 else "OW",
    )
    options.pop("extended_offsets", None)
    stored += bytes(len(stored) % 2)
    values: np.ndarray[Any, Any]
    values, _ = get_decoder(syntax).as_array(stored, decoding_plugin=plugin, **options)
    return values


def plugin_for(syntax: str, bits_allocated: int) -> str:
    """Return the pydicom plugin that decodes a compression; empty where pydicom chooses.

    Pillow where it can, as for other pictures. It would cut colours of JPEG 2000 down to 8 bit, so
    those of 16 bit, and all that it does not know, are left to GDCM.
    """
    from pydicom.uid import JPEG2000, JPEG2000Lossless, JPEGBaseline8Bit, JPEGExtended12Bit

    if syntax in (JPEGBaseline8Bit, JPEGExtended12Bit):
        return "pillow"
    if syntax in (JPEG2000, JPEG2000Lossless):
        return "pillow" if bits_allocated == 8 else "gdcm"
    return ""


def require_decoder(path: str | Path, dataset: FileDataset) -> None:
    """Raise unless the compression of a file can be decoded.

    Raises:
        PictureError: If pydicom does not know it, or its plugin is not installed.
    """
    from pydicom.pixels.decoders.base import get_decoder

    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise PictureError(
            f"{path}: is compressed as '{syntax.name}', which is not read; convert it to another "
            "transfer syntax (uncompressed, JPEG, JPEG-LS, JPEG 2000 and RLE are read)"
        ) from None
    if syntax.is_encapsulated and (
        not decoder.is_available
        or plugin_for(syntax, int(dataset.BitsAllocated)) not in ("", *decoder.available_plugins)
    ):
        raise PictureError(
            f"{path}: is compressed as '{syntax.name}', whose decoder is not installed: pip "
            "install 'magenet[dicom]' brings it (GDCM); or decompress the file (gdcmconv --raw)"
        )


def _require_size(path: str | Path, dataset: FileDataset, stored: bytes) -> None:
    """Raise if a compressed frame is of another size than the attributes say.

    The decoder would allocate that other size.
    """
    from pydicom.uid import JPEG2000TransferSyntaxes, RLELossless

    if dataset.file_meta.TransferSyntaxUID == RLELossless:
        _require_rle_size(path, dataset, stored)
        return
    if dataset.file_meta.TransferSyntaxUID in JPEG2000TransferSyntaxes:
        try:
            with Image.open(io.BytesIO(stored), formats=("JPEG2000",)) as picture:
                size = picture.size
        except UnidentifiedImageError:
            raise PictureError(f"{path}: has a frame that is no JPEG 2000 picture") from None
    else:
        size = _jpeg_size(stored)
    if size != (dataset.Columns, dataset.Rows):
        raise PictureError(
            f"{path}: is {dataset.Columns}x{dataset.Rows} px by its attributes, but its pixels are "
            f"{size[0]}x{size[1]}"
        )


def _jpeg_size(stored: bytes) -> tuple[int, int]:
    """Return width and height of a JPEG or JPEG-LS picture; 0 for both if it is none."""
    place = 2 if stored.startswith(b"\xff\xd8") else len(stored)
    while place + 9 <= len(stored) and stored[place] == 0xFF:
        marker = stored[place + 1]
        if marker in JPEG_SIZES:
            height, width = struct.unpack(">HH", stored[place + 5 : place + 9])
            return width, height
        if marker == 0xFF:  # a byte to fill up
            place += 1
        elif marker in JPEG_WITHOUT_LENGTH:
            place += 2
        else:
            place += 2 + int.from_bytes(stored[place + 2 : place + 4], "big")
    return 0, 0


def _require_rle_size(path: str | Path, dataset: FileDataset, stored: bytes) -> None:
    """Raise if a segment of an RLE frame is longer than its attributes say (DICOM PS3.5, G.5).

    The decoder would expand it to up to 64 times its size.
    """
    count, *offsets = struct.unpack("<16L", stored[:64].ljust(64, b"\0"))
    bounds = [*offsets[:count], len(stored)]
    most = dataset.Rows * dataset.Columns + 128  # a last run may go beyond the pixels
    for place, end in pairwise(bounds):
        size = 0
        while place < min(end, len(stored)) and size <= most:
            control = stored[place]
            size += control + 1 if control < 128 else (257 - control) % 129
            place += control + 2 if control < 128 else 2 if control > 128 else 1
        if size > most:
            raise PictureError(
                f"{path}: is {dataset.Columns}x{dataset.Rows} px by its attributes, but its pixels "
                "are more"
            )
