"""Writing of photographs to disk, with the metadata of the photograph they were made from."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IFDRational
from torch import Tensor

from data_modules.files import dicom
from data_modules.files.dicom_result import Processing
from data_modules.files.dicom_writing import write_dicom
from data_modules.files.errors import PictureError, require_16_bit_extra
from data_modules.files.reading import FORMATS
from magenet.atomic_write import atomic_write

JPEG_QUALITY = 95
"""Our choice."""

MetadataChoice = Literal["keep", "clinical", "none"]
"""What a result keeps of its photograph's metadata; see :func:`read_metadata`."""

DESCRIPTION, MAKE, MODEL, SOFTWARE, DATE = 0x010E, 0x010F, 0x0110, 0x0131, 0x0132
ARTIST, COPYRIGHT = 0x013B, 0x8298
KEPT_TAGS = (DESCRIPTION, MAKE, MODEL, SOFTWARE, DATE, ARTIST, COPYRIGHT)
"""EXIF tags that `keep` copies: description, camera, software, date, author, copyright.
Others describe how the original's pixels are stored, which would be wrong for the result's."""

CAMERA_SETTINGS, GPS = 0x8769, 0x8825
KEPT_DIRECTORIES = (CAMERA_SETTINGS, GPS)
"""EXIF directories that `keep` copies."""

CLINICAL_DATES = (0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292)
"""EXIF tags of the camera settings that hold when it was taken and digitized: dates, time zones,
fractions of seconds."""

CLINICAL_NUMBERS = (
    0x829A, 0x829D, 0x8822, 0x8827, 0x9201, 0x9202, 0x9203, 0x9204, 0x9205, 0x9207, 0x9208, 0x9209,
    0x920A, 0xA402, 0xA403, 0xA404, 0xA405, 0xA406, 0xA407, 0xA408, 0xA409, 0xA40A,
)  # fmt: skip
"""EXIF tags of the camera settings that hold how it was taken, as numbers: exposure, aperture,
sensitivity, flash, focal length, white balance and the like."""


class Metadata(NamedTuple):
    """Metadata of a photograph that also holds for a result made from it.

    Attributes:
        exif: How it was taken.
        profile: Colour profile (ICC).
        resolution: In pixels per inch, horizontally and vertically.
    """

    exif: Image.Exif | None = None
    profile: bytes | None = None
    resolution: tuple[float, float] | None = None


def write_photograph(
    image: Tensor,
    path: str | Path,
    source: str | Path | None = None,
    metadata: MetadataChoice = "clinical",
    processing: Processing | None = None,
) -> None:
    """Write a photograph, whole or not at all.

    The name's ending chooses the format: JPEG at quality 95 without colour subsampling, else
    lossless; DICOM where the source is DICOM. The file appears under its name only when it is
    complete.

    Args:
        image: uint8 or uint16 `(3, H, W)`; uint16 for PNG, TIFF and DICOM.
        path: File to write.
        source: The photograph that it was made from.
        metadata: What is kept of its metadata; see :func:`read_metadata`. Never the rotation: the
            pixels are upright. A TIFF of 16 bit gets no EXIF directories, a PNG of 16 bit no
            resolution. What a DICOM file keeps: :mod:`data_modules.files.dicom_attributes`; a file
            of another format gets nothing of DICOM.
        processing: What made it; only DICOM files tell.

    Raises:
        PictureError: If it cannot be written.
    """
    path = Path(path)
    kind = Image.registered_extensions().get(path.suffix.lower())
    if is_dicom_result(path, source):
        write_frames([image], path, source, metadata, processing)
        return
    if kind is None:
        raise PictureError(f"{path}: cannot be written: unknown picture ending '{path.suffix}'")
    values = image.numpy()
    is_16_bit = values.dtype == np.uint16
    if is_16_bit and kind not in ("PNG", "TIFF"):
        raise PictureError(f"{path}: 16 bits a colour need PNG or TIFF, not {kind}")
    try:
        kept = Metadata() if source is None else read_metadata(source, metadata)
        with atomic_write(path, PictureError) as part:
            if is_16_bit:
                with require_16_bit_extra(path):
                    _write_16_bit(values, part, kind, kept)
            else:
                _write_8_bit(values, part, kind, kept)
    except PictureError:
        raise
    except Exception as error:  # encoders raise many kinds, over odd EXIF for one
        raise PictureError(f"{path}: cannot be written ({error})") from None


def is_dicom_result(path: str | Path, source: str | Path | None) -> bool:
    """Return whether a result is written as DICOM: by its name, or by its photograph's content."""
    suffix = Path(path).suffix.lower()
    if suffix in dicom.SUFFIXES:
        return True
    known = suffix in Image.registered_extensions()
    return source is not None and not known and dicom.is_dicom(source)


def write_frames(
    frames: Iterable[Tensor],
    path: str | Path,
    source: str | Path | None,
    metadata: MetadataChoice = "clinical",
    processing: Processing | None = None,
) -> None:
    """Write the photographs made from all frames of a DICOM file, whole or not at all.

    Args:
        frames: uint8 or uint16 `(3, H, W)`; drawn one by one while the file is written.
        path: File to write.
        source: The DICOM file that they were made from.
        metadata: See :func:`write_photograph`.
        processing: What made them.

    Raises:
        PictureError: If it cannot be written, or is not to be DICOM.
    """
    path = Path(path)
    if source is None or not dicom.is_dicom(source):
        raise PictureError(f"{path}: a DICOM file is only written for a photograph from one")
    if not is_dicom_result(path, source):
        raise PictureError(f"{path}: a file of several frames is only written as DICOM")
    with atomic_write(path, PictureError) as part:
        write_dicom(frames, part, source, metadata, processing)


def read_metadata(source: str | Path, choice: MetadataChoice) -> Metadata:
    """Read the metadata of a photograph that also hold for a result made from it.

    Args:
        source: The photograph. Nothing is read from DICOM.
        choice: `none`: the colour profile alone. `clinical`: also the resolution, and of EXIF the
            camera's make and model, dates, and numbers such as the exposure; nothing that may
            tell a person, a place or a device. `keep`: also all other texts and directories of
            EXIF, with position (GPS), serial numbers, maker notes and comments.
    """
    if dicom.is_dicom(source):
        return Metadata()
    with Image.open(source, formats=FORMATS) as original:
        profile = original.info.get("icc_profile")
        if profile is not None and profile[16:20] != b"RGB ":  # every result is RGB
            profile = None
        if choice == "none":
            return Metadata(profile=profile)
        resolution = _resolution(original.info.get("dpi"))
        # While the file is open: Pillow reads a TIFF's directories when they are asked for.
        exif = (_clinical if choice == "clinical" else _whole)(original.getexif())
    has_entries = len(exif) or any(exif.get_ifd(tag) for tag in KEPT_DIRECTORIES)
    return Metadata(exif if has_entries else None, profile, resolution)


def _whole(given: Image.Exif) -> Image.Exif:
    """Return all EXIF that also holds for a result."""
    exif = Image.Exif()
    for tag in KEPT_TAGS:
        if tag in given:
            exif[tag] = given[tag]
    for tag in KEPT_DIRECTORIES:
        directory = given.get_ifd(tag)
        if directory:
            exif.get_ifd(tag).update(directory)
    return exif


def _clinical(given: Image.Exif) -> Image.Exif:
    """Return the EXIF that tells no person, place or device."""
    exif = Image.Exif()
    for tag in (MAKE, MODEL):
        if isinstance(given.get(tag), str):
            exif[tag] = given[tag]
    if _is_date(given.get(DATE)):
        exif[DATE] = given[DATE]
    settings = given.get_ifd(CAMERA_SETTINGS)
    kept = {tag: settings[tag] for tag in CLINICAL_DATES if _is_date(settings.get(tag))}
    kept |= {tag: settings[tag] for tag in CLINICAL_NUMBERS if _is_number(settings.get(tag))}
    if kept:
        exif.get_ifd(CAMERA_SETTINGS).update(kept)
    return exif


def _is_date(value: object) -> bool:
    """Return whether an EXIF value is a date, a time zone or a fraction of a second."""
    return isinstance(value, str) and re.fullmatch(r"[0-9:+\- \0]{1,20}", value) is not None


def _is_number(value: object) -> bool:
    """Return whether an EXIF value is a number, or a few."""
    if isinstance(value, tuple):
        return 0 < len(value) <= 4 and all(map(_is_number, value))
    return isinstance(value, int | float | IFDRational) and math.isfinite(value)


def _resolution(given: object) -> tuple[float, float] | None:
    """Return a resolution as Pillow read it, in pixels per inch; None if it says nothing."""
    if not (isinstance(given, tuple) and len(given) == 2 and _is_number(given)):
        return None
    across, down = map(float, given)
    return (across, down) if min(across, down) >= 1 and max(across, down) <= 65535 else None


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
    if metadata.resolution is not None:
        options["dpi"] = metadata.resolution
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
        resolution=metadata.resolution, resolutionunit="INCH" if metadata.resolution else None,
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
