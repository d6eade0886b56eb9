"""Reading a picture from disk and writing one: nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from torch import Tensor

from data_modules.files import dicom
from magenet.errors import UserError
from magenet.files import whole

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
"""File name endings that count as a photograph in a folder."""

NATIVE_SUFFIXES = (*SUFFIXES, *dicom.SUFFIXES)
"""The same for what keeps a photograph's own bits: :func:`read_native`."""

MINIMUM_SIDE = 32
"""Smallest height and width of a photograph, in pixels: the networks' own limit."""

JPEG_QUALITY = 95


class PictureError(UserError):
    """Say which file could not be read or written, and why: "path: reason"."""


ORIENTATION = 0x0112
"""EXIF tag: how the picture must be turned to be upright."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

BITS_PER_SAMPLE = 0x0102
"""TIFF tag."""

DESCRIPTION, MAKE, MODEL, SOFTWARE, DATE = 0x010E, 0x010F, 0x0110, 0x0131, 0x0132
ARTIST, COPYRIGHT = 0x013B, 0x8298
KEPT_TAGS = (DESCRIPTION, MAKE, MODEL, SOFTWARE, DATE, ARTIST, COPYRIGHT)
"""EXIF tags that go over to the result: description, camera, software, date, author, copyright.
Others say how the original's pixels are stored, which would be a lie about the result's."""

KEPT_DIRECTORIES = (0x8769, 0x8825)
"""EXIF directories that go over: how the photograph was taken, and where."""


class Header(NamedTuple):
    """Hold what a photograph's header says, before any pixel is decoded.

    Attributes:
        width: In pixels, as stored: before the EXIF rotation.
        height: In pixels.
        sample_bytes: 1 for 8 bit, 2 for 16.
    """

    width: int
    height: int
    sample_bytes: int


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """Open a picture, and name it in whatever is wrong with it."""
    try:
        with Image.open(path) as picture:
            yield picture
    except FileNotFoundError:
        raise PictureError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise PictureError(f"{path}: is a folder, not a picture") from None
    except UnidentifiedImageError:
        raise PictureError(f"{path}: not a picture that Pillow can read") from None
    except PictureError:
        raise
    except Exception as error:  # a broken file can raise anything in Pillow's many decoders
        raise PictureError(f"{path}: cannot be decoded ({error})") from None


def _turn(picture: Image.Image) -> Image.Transpose | None:
    """Return how a picture must be turned to be upright, by its EXIF entry."""
    return UPRIGHT.get(picture.getexif().get(ORIENTATION, 1))


def _is_deep(picture: Image.Image) -> bool:
    """Return whether an opened picture has more than 8 bits a colour."""
    if isinstance(picture, TiffImageFile):
        return bool(max(picture.tag_v2.get(BITS_PER_SAMPLE, (8,))) > 8)
    if isinstance(picture, PngImageFile):
        return any(";16" in str(tile.args) for tile in picture.tile)
    return picture.mode.startswith("I")


def _open(path: str | Path) -> Image.Image:
    """Return the decoded picture, turned upright by its EXIF entry."""
    with _opened(path) as picture:
        turn = None if picture.format == "TIFF" else _turn(picture)  # Pillow turns TIFFs itself
        picture.load()
        return picture if turn is None else picture.transpose(turn)


def read_header(path: str | Path) -> Header:
    """Return what a photograph's header says: quick, since no pixel is decoded.

    Raises:
        PictureError: If it cannot be read, or is so large that it must be a decompression bomb
            (Pillow's limit, 179 million pixels).
    """
    if dicom.is_dicom(path):
        with _dicom_faults():
            return Header(*dicom.dicom_header(path))
    with _opened(path) as picture:
        return Header(picture.width, picture.height, 2 if _is_deep(picture) else 1)


def header_fault(path: str | Path) -> str | None:
    """Return what is wrong with a picture's header, or None: quick, since no pixel is decoded."""
    try:
        with _opened(path) as picture:
            size = picture.size
    except PictureError as error:
        return str(error)
    return None if min(size) >= MINIMUM_SIDE else f"{path}: is {size[0]}x{size[1]} px"


@contextmanager
def _dicom_faults() -> Iterator[None]:
    """Turn an error over a DICOM file into a :class:`PictureError`."""
    try:
        yield
    except PictureError:
        raise
    except UserError as error:
        raise PictureError(str(error)) from None


def read_photograph(path: str | Path) -> Tensor:
    """Read a photograph as RGB.

    EXIF rotation is applied; grey, palette, transparent and CMYK pictures become RGB
    (transparency on black); 16-bit grey is scaled to 8 bit, floats are taken as 0 to 1.

    Args:
        path: A file that Pillow can read.

    Returns:
        uint8 `(3, H, W)`.

    Raises:
        PictureError: If the file is missing, not a picture, broken, or smaller than 32 px.
    """
    picture = _open(path)
    _require_side(path, *picture.size)
    if picture.mode.startswith("I") or picture.mode == "F":
        wide = np.asarray(picture, dtype=np.float32)
        peak = 1.0 if picture.mode == "F" else 65535.0
        grey = (wide / peak * 255.0).round().clip(0, 255).astype(np.uint8)
        picture = Image.fromarray(grey)
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(ground, rgba)
    if picture.mode != "RGB":
        picture = picture.convert("RGB")
    array = np.empty((3, picture.height, picture.width), np.uint8)
    for colour, plane in enumerate(array):  # one at a time, to spare memory
        plane[:] = np.asarray(picture.getchannel(colour))
    return torch.from_numpy(array)


def _require_side(path: str | Path, width: int, height: int) -> None:
    """Raise over a photograph that is too small for the networks."""
    if min(width, height) < MINIMUM_SIDE:
        raise PictureError(
            f"{path}: is {width}x{height} px; a photograph needs at least "
            f"{MINIMUM_SIDE}x{MINIMUM_SIDE}"
        )


def read_native(path: str | Path) -> Tensor:
    """Read a photograph as RGB with the bits that it has, for a result of the same kind.

    As :func:`read_photograph`, but 16 bits stay 16 bits, and DICOM files are read as well.

    Args:
        path: What Pillow can read, a PNG or TIFF of 16 bit, or a DICOM file.

    Returns:
        uint8 or uint16 `(3, H, W)`.

    Raises:
        PictureError: If it cannot be read, is smaller than 32 px, or needs a package that is not
            there.
    """
    if dicom.is_dicom(path):
        with _dicom_faults():
            image = dicom.read_dicom(path)
        _require_side(path, image.shape[-1], image.shape[-2])
        return image
    with _opened(path) as picture:
        deep, real = _is_deep(picture), picture.mode == "F"
    if real or not deep:
        return read_photograph(path)
    with _deep_packages(path):
        import cv2
    values = cv2.imread(str(path), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)  # turns it upright
    if values is None or values.dtype != np.uint16:
        raise PictureError(f"{path}: a picture of more than 8 bits that OpenCV cannot decode")
    _require_side(path, values.shape[1], values.shape[0])
    return torch.from_numpy(np.ascontiguousarray(values[..., ::-1].transpose(2, 0, 1)))


@contextmanager
def _deep_packages(path: str | Path) -> Iterator[None]:
    """Say which packages a photograph of 16 bit needs, where an import fails."""
    try:
        yield
    except ImportError:
        raise PictureError(
            f"{path}: photographs of 16 bit need: pip install 'magenet[deep]'"
        ) from None


def read_mask(path: str | Path, like: Tensor | None = None) -> Tensor:
    """Read a mask: inside is what is brighter than the middle grey, or not 0 in a mask of 0 and 1.

    Args:
        path: A picture of any mode; a mask of several colours counts by its brightness.
        like: The photograph that the mask belongs to, `(3, H, W)`.

    Returns:
        bool `(1, H, W)`.

    Raises:
        PictureError: If it cannot be read, or has another size than the photograph.
    """
    picture = _open(path)
    if like is not None and (picture.height, picture.width) != tuple(like.shape[-2:]):
        raise PictureError(
            f"{path}: is a mask of {picture.width}x{picture.height} px for a photograph of "
            f"{like.shape[-1]}x{like.shape[-2]} px; they must be equal"
        )
    grey = np.array(picture.convert("L"))
    return torch.from_numpy(grey > (127 if grey.max(initial=0) > 1 else 0))[None]


def read_bits(path: str | Path, like: Tensor) -> Tensor:
    """Read a mask whose pixels are bit flags.

    Args:
        path: A grey picture of 8 bit.
        like: The photograph that it belongs to, `(3, H, W)`.

    Returns:
        uint8 `(1, H, W)`.

    Raises:
        PictureError: If it cannot be read, is not grey, or has another size.
    """
    picture = _open(path)
    if picture.mode not in ("L", "P", "1"):
        raise PictureError(
            f"{path}: bit flags need a grey picture of 8 bit, this is {picture.mode}"
        )
    if (picture.height, picture.width) != tuple(like.shape[-2:]):
        raise PictureError(
            f"{path}: is a mask of {picture.width}x{picture.height} px for a photograph of "
            f"{like.shape[-1]}x{like.shape[-2]} px; they must be equal"
        )
    return torch.from_numpy(np.array(picture, dtype=np.uint8))[None]


def write_photograph(image: Tensor, path: str | Path, source: str | Path | None = None) -> None:
    """Write a photograph, whole or not at all.

    The name's ending chooses the format: JPEG at quality 95 without colour subsampling, else
    lossless; DICOM where the source is DICOM. The file appears under its name only when it is
    complete.

    Args:
        image: uint8 or uint16 `(3, H, W)`; uint16 for PNG, TIFF and DICOM.
        path: Where to write.
        source: The photograph that it was made from: the EXIF that describes how it was taken
            (not the rotation: the pixels are upright) and the colour profile are kept. A TIFF of
            16 bit keeps the profile, camera, software, date and description.

    Raises:
        PictureError: If it cannot be written.
    """
    target = Path(path)
    if dicom.is_dicom(target):
        if source is None or not dicom.is_dicom(source):
            raise PictureError(f"{path}: a DICOM file is only written for a photograph from one")
        with whole(target, PictureError) as half, _dicom_faults():
            dicom.write_dicom(image, half, source)
        return
    kind = Image.registered_extensions().get(target.suffix.lower())
    if kind is None:
        raise PictureError(f"{path}: cannot be written: unknown picture ending '{target.suffix}'")
    values = image.numpy()
    try:
        kept = Kept() if source is None else _metadata(source)
        with whole(target, PictureError) as half:
            if values.dtype == np.uint16:
                _write_deep(values, half, kind, kept)
            else:
                _write(values, half, kind, kept)
    except PictureError:
        raise
    except Exception as error:  # encoders raise many kinds, over odd EXIF for one
        raise PictureError(f"{path}: cannot be written ({error})") from None


class Kept(NamedTuple):
    """Hold what of a photograph's file belongs to a result made from it.

    Attributes:
        exif: How it was taken.
        profile: Colour profile (ICC).
    """

    exif: Image.Exif | None = None
    profile: bytes | None = None


def _write(values: np.ndarray[Any, Any], path: Path, kind: str, kept: Kept) -> None:
    """Write 8 bits a colour, `(3, H, W)`."""
    options: dict[str, object] = {}
    if kind == "JPEG":
        options.update(quality=JPEG_QUALITY, subsampling=0)
    elif kind == "WEBP":
        options.update(lossless=True)
    if kept.exif is not None:
        options["exif"] = kept.exif.tobytes()
    if kept.profile is not None:
        options["icc_profile"] = kept.profile
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in values]
    Image.merge("RGB", planes).save(path, format=kind, **options)


def _write_deep(values: np.ndarray[Any, Any], path: Path, kind: str, kept: Kept) -> None:
    """Write 16 bits a colour, `(3, H, W)`."""
    values = np.ascontiguousarray(values.transpose(1, 2, 0))
    exif = kept.exif if kept.exif is not None else Image.Exif()
    with _deep_packages(path):
        import cv2
        import tifffile
    if kind == "TIFF":
        # As bytes: tifffile refuses what is no ASCII, or no date of 19 characters, as text.
        texts = [(tag, 2, 0, str(exif[tag]).encode(), True) for tag in KEPT_TAGS if tag in exif]
        tifffile.imwrite(
            path, values, photometric="rgb", compression="zlib", predictor=2, metadata=None,
            iccprofile=kept.profile, software=False, extratags=texts,
        )  # fmt: skip
    elif kind == "PNG":
        chunks = {cv2.IMAGE_METADATA_ICCP: kept.profile}
        if kept.exif is not None:
            chunks[cv2.IMAGE_METADATA_EXIF] = kept.exif.tobytes().removeprefix(b"Exif\x00\x00")
        given = {name: np.frombuffer(chunk, np.uint8) for name, chunk in chunks.items() if chunk}
        ok, encoded = cv2.imencodeWithMetadata(
            ".png", values[..., ::-1], list(given), list(given.values())
        )
        assert ok  # it raises otherwise
        path.write_bytes(encoded.tobytes())
    else:
        raise PictureError(f"{path}: 16 bits a colour need PNG or TIFF, not {kind}")


def _metadata(source: str | Path) -> Kept:
    """Return what of a photograph's EXIF and colour profile belongs to a result made from it."""
    with Image.open(source) as original:
        given = original.getexif()
        profile = original.info.get("icc_profile")
    kept = Image.Exif()
    for tag in KEPT_TAGS:
        if tag in given:
            kept[tag] = given[tag]
    for tag in KEPT_DIRECTORIES:
        directory = given.get_ifd(tag)
        if directory:
            kept.get_ifd(tag).update(directory)
    some = len(kept) or any(kept.get_ifd(tag) for tag in KEPT_DIRECTORIES)
    of_rgb = profile is not None and profile[16:20] == b"RGB "  # as every result is
    return Kept(kept if some else None, profile if of_rgb else None)
