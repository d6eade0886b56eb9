"""Ophthalmic photographs in DICOM files, by pydicom (`pip install 'magenet[dicom]'`)."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from data_modules.files.errors import PictureError, require_file

if TYPE_CHECKING:
    from pydicom import FileDataset

SUFFIXES = (".dcm", ".dicom")
"""File name endings that count as DICOM."""

PREAMBLE = 128
"""Bytes before the letters `DICM` (DICOM PS3.10, 7.1)."""

STALE = ("PaletteColor", "RedPalette", "GreenPalette", "BluePalette", "Smallest", "Largest")
"""Prefixes of the keywords of attributes that describe the original's pixel values."""


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
def _errors_named(path: str | Path) -> Iterator[None]:
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
        raise PictureError(f"{path}: cannot be read as DICOM ({error})") from None


def _read(path: str | Path, pixels: bool) -> FileDataset:
    """Return the attributes of a file that holds one photograph.

    A file that is deflated as a whole is refused: pydicom inflates it, to whatever size, before
    even its header can be read.
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
    dataset = dcmread(path, stop_before_pixels=not pixels)
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise PictureError(f"{path}: holds {frames} frames; one photograph is needed")
    return dataset


def dicom_header(path: str | Path) -> tuple[int, int, int]:
    """Return width, height and bytes per sample; no pixel is decoded.

    Raises:
        PictureError: If it is not the DICOM file of one photograph, or pydicom is missing.
    """
    with _errors_named(path):
        dataset = _read(path, pixels=False)
        return int(dataset.Columns), int(dataset.Rows), 1 if dataset.BitsStored <= 8 else 2


def _require_size(path: str | Path, dataset: FileDataset) -> None:
    """Raise if JPEG or JPEG 2000 pixels are of another size than the attributes say.

    The decoder would allocate that other size; what Pillow cannot open is left to pydicom.
    """
    from pydicom.encaps import generate_frames

    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    try:
        with Image.open(io.BytesIO(frame), formats=("JPEG", "JPEG2000")) as picture:
            size = picture.size
    except UnidentifiedImageError:
        return
    if size != (dataset.Columns, dataset.Rows):
        raise PictureError(
            f"{path}: is {dataset.Columns}x{dataset.Rows} px by its attributes, but its pixels are "
            f"{size[0]}x{size[1]}"
        )


def read_dicom(path: str | Path) -> Tensor:
    """Read the photograph of a DICOM file.

    YBR, palette and grey become RGB; 9 to 16 stored bits are scaled to 16.

    Returns:
        uint8 or uint16 `(3, H, W)`.

    Raises:
        PictureError: If it is not the DICOM file of one photograph, its pixels have another size
            than its attributes say, or pydicom or a decoder that its compression needs is missing.
    """
    with _errors_named(path):
        from pydicom.pixels.processing import apply_color_lut
        from pydicom.pixels.utils import pixel_array

        dataset = _read(path, pixels=True)
        _require_size(path, dataset)
        values: np.ndarray[Any, Any] = pixel_array(dataset)
        bits, kind = int(dataset.BitsStored), str(dataset.PhotometricInterpretation)
        if kind == "PALETTE COLOR":
            values = apply_color_lut(values, dataset)
            bits = 8 * values.dtype.itemsize
        if values.ndim == 2:
            values = np.repeat(values[..., None], 3, axis=-1)
        if bits > 8:
            values = (values.astype(np.float32) * (65535 / (2**bits - 1))).round()
        values = values.astype(np.uint8 if bits <= 8 else np.uint16)
        if kind == "MONOCHROME1":
            values = np.iinfo(values.dtype).max - values
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))


def write_dicom(image: Tensor, path: Path, source: str | Path) -> None:
    """Write a photograph as a derived DICOM image of its source's patient, study and series.

    It is uncompressed RGB with its own SOP Instance UID and Image Type `DERIVED`, and references
    its source image (DICOM PS3.3 C.7.6.1.1.2 and C.8.17.2).

    Args:
        image: uint8 or uint16 `(3, H, W)`.
        path: File to write.
        source: The DICOM file that it was made from.

    Raises:
        PictureError: If the source cannot be read.
        OSError: If the file cannot be written.
    """
    with _errors_named(source):
        from pydicom import Dataset
        from pydicom.uid import ExplicitVRLittleEndian

        dataset = _read(source, pixels=False)
        original = Dataset()
        original.ReferencedSOPClassUID = dataset.SOPClassUID
        original.ReferencedSOPInstanceUID = dataset.SOPInstanceUID
        for element in list(dataset):
            if element.keyword.startswith(STALE):
                del dataset[element.tag]
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        values = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
        dataset.set_pixel_data(values, "RGB", 8 * values.dtype.itemsize)
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.ImageType = ["DERIVED", *list(dataset.get("ImageType") or ["", "PRIMARY"])[1:]]
        dataset.DerivationDescription = "Enhanced by magenet, a research tool; not for diagnosis"
        dataset.SourceImageSequence = [original]
    dataset.save_as(path)
