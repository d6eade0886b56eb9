"""Writing of photographs to disk, with the metadata of the photograph they were made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from torch import Tensor

from data_modules.files import dicom
from data_modules.files.errors import PictureError, require_16_bit_extra
from data_modules.files.reading import FORMATS
from magenet.atomic_write import atomic_write

JPEG_QUALITY = 95
"""Our choice."""

DESCRIPTION, MAKE, MODEL, SOFTWARE, DATE = 0x010E, 0x010F, 0x0110, 0x0131, 0x0132
ARTIST, COPYRIGHT = 0x013B, 0x8298
KEPT_TAGS = (DESCRIPTION, MAKE, MODEL, SOFTWARE, DATE, ARTIST, COPYRIGHT)
"""EXIF tags that are copied to the result: description, camera, software, date, author, copyright.
Others describe how the original's pixels are stored, which would be wrong for the result's."""

KEPT_DIRECTORIES = (0x8769, 0x8825)
"""EXIF directories that are copied: camera settings, and GPS."""


class Metadata(NamedTuple):
    """Metadata of a photograph that also holds for a result made from it.

    Attributes:
        exif: EXIF of :data:`KEPT_TAGS` and :data:`KEPT_DIRECTORIES`.
        profile: Colour profile (ICC).
    """

    exif: Image.Exif | None = None
    profile: bytes | None = None


def write_photograph(image: Tensor, path: str | Path, source: str | Path | None = None) -> None:
    """Write a photograph, whole or not at all.

    The name's ending chooses the format: JPEG at quality 95 without colour subsampling, else
    lossless; DICOM where the source is DICOM. The file appears under its name only when it is
    complete.

    Args:
        image: uint8 or uint16 `(3, H, W)`; uint16 for PNG, TIFF and DICOM.
        path: File to write.
        source: The photograph that it was made from: its colour profile and the EXIF that
            describes how it was taken are kept (not the rotation: the pixels are upright). A TIFF
            of 16 bit keeps the profile, camera, software, date and description. Nothing of DICOM
            is carried over to another format.

    Raises:
        PictureError: If it cannot be written.
    """
    path = Path(path)
    from_dicom = source is not None and dicom.is_dicom(source)
    kind = Image.registered_extensions().get(path.suffix.lower())
    if path.suffix.lower() in dicom.SUFFIXES or (from_dicom and kind is None):
        if source is None or not from_dicom:
            raise PictureError(f"{path}: a DICOM file is only written for a photograph from one")
        with atomic_write(path, PictureError) as part:
            dicom.write_dicom(image, part, source)
        return
    if kind is None:
        raise PictureError(f"{path}: cannot be written: unknown picture ending '{path.suffix}'")
    values = image.numpy()
    is_16_bit = values.dtype == np.uint16
    if is_16_bit and kind not in ("PNG", "TIFF"):
        raise PictureError(f"{path}: 16 bits a colour need PNG or TIFF, not {kind}")
    try:
        metadata = Metadata() if source is None else read_metadata(source)
        with atomic_write(path, PictureError) as part:
            if is_16_bit:
                with require_16_bit_extra(path):
                    _write_16_bit(values, part, kind, metadata)
            else:
                _write_8_bit(values, part, kind, metadata)
    except PictureError:
        raise
    except Exception as error:  # encoders raise many kinds, over odd EXIF for one
        raise PictureError(f"{path}: cannot be written ({error})") from None


def read_metadata(source: str | Path) -> Metadata:
    """Read the EXIF and colour profile of a photograph that also hold for a result made from it."""
    if dicom.is_dicom(source):
        return Metadata()
    with Image.open(source, formats=FORMATS) as original:
        given = original.getexif()
        profile = original.info.get("icc_profile")
    exif = Image.Exif()
    for tag in KEPT_TAGS:
        if tag in given:
            exif[tag] = given[tag]
    for tag in KEPT_DIRECTORIES:
        directory = given.get_ifd(tag)
        if directory:
            exif.get_ifd(tag).update(directory)
    has_entries = len(exif) or any(exif.get_ifd(tag) for tag in KEPT_DIRECTORIES)
    is_rgb = profile is not None and profile[16:20] == b"RGB "  # every result is RGB
    return Metadata(exif if has_entries else None, profile if is_rgb else None)


def _write_8_bit(values: np.ndarray[Any, Any], path: Path, kind: str, metadata: Metadata) -> None:
    """Write 8 bits a colour, `(3, H, W)`."""
    options: dict[str, object] = {}
    if kind == "JPEG":
        options.update(quality=JPEG_QUALITY, subsampling=0)
    elif kind == "WEBP":
        options.update(lossless=True)
    if metadata.exif is not None:
        options["exif"] = metadata.exif.tobytes()
    if metadata.profile is not None:
        options["icc_profile"] = metadata.profile
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in values]
    Image.merge("RGB", planes).save(path, format=kind, **options)


def _write_16_bit(values: np.ndarray[Any, Any], path: Path, kind: str, metadata: Metadata) -> None:
    """Write 16 bits a colour, `(3, H, W)`, as PNG or TIFF."""
    pixels = np.ascontiguousarray(values.transpose(1, 2, 0))
    if kind == "TIFF":
        _write_16_bit_tiff(pixels, path, metadata)
    else:
        _write_16_bit_png(pixels, path, metadata)


def _write_16_bit_tiff(pixels: np.ndarray[Any, Any], path: Path, metadata: Metadata) -> None:
    """Write `(H, W, 3)` as TIFF."""
    import tifffile

    exif = Image.Exif() if metadata.exif is None else metadata.exif
    # As bytes: tifffile refuses texts that are not ASCII, and dates without 19 characters.
    texts = [(tag, 2, 0, str(exif[tag]).encode(), True) for tag in KEPT_TAGS if tag in exif]
    tifffile.imwrite(
        path, pixels, photometric="rgb", compression="zlib", predictor=2, metadata=None,
        iccprofile=metadata.profile, software=False, extratags=texts,
    )  # fmt: skip


def _write_16_bit_png(pixels: np.ndarray[Any, Any], path: Path, metadata: Metadata) -> None:
    """Write `(H, W, 3)` as PNG."""
    import cv2

    chunks = {}
    if metadata.profile:
        chunks[cv2.IMAGE_METADATA_ICCP] = metadata.profile
    if metadata.exif is not None:
        chunks[cv2.IMAGE_METADATA_EXIF] = metadata.exif.tobytes().removeprefix(b"Exif\x00\x00")
    buffers = [np.frombuffer(chunk, np.uint8) for chunk in chunks.values()]
    ok, encoded = cv2.imencodeWithMetadata(".png", pixels[..., ::-1], list(chunks), buffers)
    assert ok  # it raises otherwise
    path.write_bytes(encoded.tobytes())
