"""Ophthalmic photographs in DICOM files, by pydicom (`pip install 'magenet[dicom]'`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from data_modules.files.dicom_decoding import decode_frames, require_decoder
from data_modules.files.dicom_frames import PixelData, locate_frames
from data_modules.files.errors import PictureError, require_file
from data_modules.files.memory_estimate import Header, as_text

if TYPE_CHECKING:
    from pydicom import FileDataset

SUFFIXES = (".dcm", ".dicom")
"""File name endings that count as DICOM."""

PREAMBLE = 128
"""Bytes before the letters `DICM` (DICOM PS3.10, 7.1)."""

OPHTHALMIC = {
    1: "1.2.840.10008.5.1.4.1.1.77.1.5.1",
    2: "1.2.840.10008.5.1.4.1.1.77.1.5.2",
}
"""SOP Class UID of Ophthalmic Photography 8 and 16 Bit Image Storage, by the bytes per sample."""

GREY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7.2"
COLOUR_CAPTURE = "1.2.840.10008.5.1.4.1.1.7.4"
"""SOP Class UID of Multi-frame Grayscale Byte and True Color Secondary Capture."""

PHOTOGRAPHIES = frozenset({
    *OPHTHALMIC.values(),
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture
    GREY_CAPTURE,
    COLOUR_CAPTURE,
    "1.2.840.10008.5.1.4.1.1.77.1.4",  # VL Photographic
})  # fmt: skip
"""SOP Class UIDs of what may be a photograph of a fundus: cameras store it in these."""

NEEDED = (
    "SOPClassUID", "SOPInstanceUID", "SamplesPerPixel", "PhotometricInterpretation", "Rows",
    "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation",
)  # fmt: skip
"""Attributes without which no image can be read (DICOM PS3.3, C.7.6.3 and C.12.1)."""

COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
GREYS = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
"""Photometric interpretations that are read, of three samples per pixel and of one."""

DICOM_BYTES = 48
"""Bytes per pixel of the decoders of DICOM: a raw copy, three of floats, the result."""

LONGEST_PIXEL_DATA = (1 << 32) - 2
"""Greatest length of uncompressed pixel data in bytes (DICOM PS3.5, 7.1.1)."""


def is_dicom(path: str | Path) -> bool:
    """Return whether a file is DICOM: by its name, or by its preamble if it is no known picture.

    Files of an archive have no ending (`IM000001`), or a part of their UID looks like one.
    """
    suffix = Path(path).suffix.lower()
    if suffix in SUFFIXES or suffix in Image.registered_extensions() or not os.path.isfile(path):
        return suffix in SUFFIXES
    try:
        with open(path, "rb") as stream:
            return stream.read(PREAMBLE + 4)[PREAMBLE:] == b"DICM"
    except OSError:
        return False


@contextmanager
def errors_named(path: str | Path) -> Iterator[None]:
    """Turn whatever pydicom raises over a file into an error that names the file.

    Raises:
        PictureError: If pydicom is missing, or raises.
    """
    try:
        yield
    except ImportError:
        raise PictureError(
            f"{path}: DICOM files need pydicom: pip install 'magenet[dicom]'"
        ) from None
    except PictureError:
        raise
    except FileNotFoundError:
        raise PictureError(f"{path}: no such file") from None
    except Exception as error:  # pydicom and its decoders raise many kinds over a broken file
        reason = " ".join(str(error).split())  # pydicom lists its plugins in several lines
        raise PictureError(f"{path}: cannot be read as DICOM ({reason})") from None


@contextmanager
def opened(path: str | Path) -> Iterator[tuple[BinaryIO, FileDataset]]:
    """Open a file of photographs, at its pixel data, and read the attributes before them.

    A file that is deflated as a whole is refused: pydicom inflates it, to whatever size, before
    even its header can be read.

    Raises:
        PictureError: If it is no photograph, or of a kind that is not read.
    """
    from pydicom import dcmread
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    require_file(path)
    if read_file_meta_info(path).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        raise PictureError(
            f"{path}: is deflated as a whole ('Deflated Explicit VR Little Endian'), so its size "
            "cannot be known; convert it to another transfer syntax (dcmtk: dcmconv +te)"
        )
    with open(path, "rb") as stream:
        dataset = dcmread(stream, stop_before_pixels=True)
        _require_photograph(path, dataset)
        require_decoder(path, dataset)
        yield stream, dataset


def _require_photograph(path: str | Path, dataset: FileDataset) -> None:
    """Raise unless attributes are those of photographs that can be read.

    Raises:
        PictureError: If they are not.
    """
    missing = [keyword for keyword in NEEDED if dataset.get(keyword) in (None, "")]
    if missing:
        raise PictureError(f"{path}: lacks DICOM attributes of every image: {', '.join(missing)}")
    kind = dataset.SOPClassUID
    if kind not in PHOTOGRAPHIES:
        raise PictureError(
            f"{path}: is '{kind.name}', not a photograph of an eye (Ophthalmic Photography, VL "
            "Photographic and Secondary Capture are read)"
        )
    samples, colours = dataset.SamplesPerPixel, dataset.PhotometricInterpretation
    if colours not in {1: GREYS, 3: COLOURS}.get(samples, ()):
        raise PictureError(
            f"{path}: has {samples} sample(s) per pixel of '{colours}', which are not read"
        )
    allocated, stored = dataset.BitsAllocated, dataset.BitsStored
    if (
        allocated not in (8, 16)
        or not 1 <= stored <= allocated
        or dataset.get("HighBit", stored - 1) != stored - 1
        or dataset.PixelRepresentation != 0
    ):
        raise PictureError(
            f"{path}: has samples of {stored} bits in {allocated}, signed or shifted; photographs "
            "have up to 8 bits in 8 or up to 16 in 16"
        )


def frames_of(dataset: FileDataset) -> int:
    """Return the number of frames that attributes tell; 1 if they tell none."""
    return max(1, int(dataset.get("NumberOfFrames") or 1))


def sample_bytes_of(dataset: FileDataset) -> int:
    """Return the bytes per sample of a file's photographs once they are read."""
    bits = dataset.BitsStored
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        bits = dataset.RedPaletteColorLookupTableDescriptor[2]
    return 1 if bits <= 8 else 2


def located(path: str | Path, stream: BinaryIO, dataset: FileDataset) -> PixelData:
    """Return where the frames of a file lie, if a result of as many can be written.

    Raises:
        PictureError: If it cannot, or the file holds fewer.
    """
    frames = frames_of(dataset)
    result = 3 * sample_bytes_of(dataset) * dataset.Rows * dataset.Columns * frames
    if result > LONGEST_PIXEL_DATA:
        raise PictureError(
            f"{path}: holds {frames} frames of {dataset.Columns}x{dataset.Rows} px; their result "
            f"would take {as_text(result)}, and a DICOM file holds 4 GiB at most; split it"
        )
    return locate_frames(path, stream, dataset, frames)


def dicom_header(path: str | Path) -> Header:
    """Read the header of a file's photographs; no pixel is decoded.

    Raises:
        PictureError: If it is no DICOM file of photographs, its pixel data are cut off, or pydicom
            or a decoder that its compression needs is missing.
    """
    with errors_named(path), opened(path) as (stream, dataset):
        pixels = located(path, stream, dataset)
        height, width = int(dataset.Rows), int(dataset.Columns)
        size = sample_bytes_of(dataset)
        # Decoders of compressed frames hold a frame as it is stored three times.
        decoding = DICOM_BYTES * width * height + pixels.start + 3 * pixels.largest
        frames = len(pixels.frames)
        return Header(width, height, size, decoding, 12 * size * width * height, frames=frames)


def read_frames(path: str | Path) -> Iterator[Tensor]:
    """Read the photographs of a DICOM file, one after the other.

    YBR, palette and grey become RGB; 9 to 16 stored bits are scaled to 16, fewer than 8 to 8.

    Yields:
        uint8 or uint16 `(3, H, W)`, all of one size and type.

    Raises:
        PictureError: If a frame cannot be decoded, or has another size than the attributes say.
    """
    with errors_named(path), opened(path) as (stream, dataset):
        pixels = located(path, stream, dataset)
        for values in decode_frames(path, stream, dataset, pixels):
            yield _as_rgb(values, dataset)


def read_dicom(path: str | Path) -> Tensor:
    """Read the photograph of a DICOM file of one frame; see :func:`read_frames`.

    Raises:
        PictureError: If it holds several, or cannot be read.
    """
    frames = dicom_header(path).frames
    if frames != 1:
        raise PictureError(
            f"{path}: holds {frames} frames, and one photograph is needed; `magenet enhance` "
            "enhances all of them"
        )
    return next(read_frames(path))


def _as_rgb(values: np.ndarray[Any, Any], dataset: FileDataset) -> Tensor:
    """Return decoded samples, `(H, W)` or `(H, W, 3)`, as uint8 or uint16 `(3, H, W)`."""
    from pydicom.pixels.processing import apply_color_lut

    bits, kind = int(dataset.BitsStored), dataset.PhotometricInterpretation
    if kind == "PALETTE COLOR":
        values = apply_color_lut(values, dataset)
        bits = 8 * values.dtype.itemsize
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=-1)
    highest = (1 << bits) - 1
    peak = 255 if bits <= 8 else 65535
    if highest < peak:
        values = (np.minimum(values, highest).astype(np.float32) * (peak / highest)).round()
    values = values.astype(np.uint8 if bits <= 8 else np.uint16)
    if kind == "MONOCHROME1":
        values = peak - values
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))
