"""Reading of pictures from disk; :mod:`data_modules.files.writing` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from torch import Tensor

from data_modules.files import dicom
from data_modules.files.errors import PictureError, require_16_bit_extra

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
"""File name endings that count as a photograph in a folder."""

NATIVE_SUFFIXES = (*SUFFIXES, *dicom.SUFFIXES)
"""The same for photographs read at their own bit depth by :func:`read_native`."""

MINIMUM_SIDE = 32
"""Smallest height and width of a photograph, in pixels: the networks' own limit."""

BITS_PER_SAMPLE = 0x0102
"""TIFF tag of the bit depth."""


class Header(NamedTuple):
    """Header of a photograph, read without decoding any pixel.

    Attributes:
        width: In pixels, as stored: before the EXIF rotation.
        height: In pixels.
        sample_bytes: 1 for 8 bit, 2 for 16.
    """

    width: int
    height: int
    sample_bytes: int


def read_header(path: str | Path) -> Header:
    """Read the size and bit depth of a photograph without decoding any pixel.

    Raises:
        PictureError: If it cannot be read, or is so large that it must be a decompression bomb
            (Pillow's limit, 179 million pixels).
    """
    if dicom.is_dicom(path):
        return Header(*dicom.dicom_header(path))
    with _opened(path) as picture:
        return Header(picture.width, picture.height, 2 if _is_16_bit(picture) else 1)


def header_fault(path: str | Path) -> str | None:
    """Return what is wrong with a picture's header, or None; no pixel is decoded."""
    try:
        with _opened(path) as picture:
            _require_side(path, *picture.size)
    except PictureError as error:
        return str(error)
    return None


def read_photograph(path: str | Path) -> Tensor:
    """Read a photograph as RGB with 8 bits a colour.

    EXIF rotation is applied; grey, palette, transparent and CMYK pictures become RGB
    (transparency on black); 16-bit grey is scaled to 8 bit, floats are taken as 0 to 1.

    Args:
        path: A file that Pillow can read.

    Returns:
        uint8 `(3, H, W)`.

    Raises:
        PictureError: If the file is missing, not a picture, broken, or smaller than 32 px.
    """
    picture = _decode(path)
    _require_side(path, *picture.size)
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture, dtype=np.float32)
        peak = 1.0 if picture.mode == "F" else 65535.0
        grey = (values / peak * 255.0).round().clip(0, 255).astype(np.uint8)
        picture = Image.fromarray(grey)
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(black, rgba)
    if picture.mode != "RGB":
        picture = picture.convert("RGB")
    array = np.empty((3, picture.height, picture.width), np.uint8)
    for colour, plane in enumerate(array):  # one at a time, to spare memory
        plane[:] = np.asarray(picture.getchannel(colour))
    return torch.from_numpy(array)


def read_native(path: str | Path) -> Tensor:
    """Read a photograph as RGB at its own bit depth.

    As :func:`read_photograph`, but 16 bits stay 16 bits, and DICOM files are read as well.

    Args:
        path: What Pillow can read, a PNG or TIFF of 16 bit, or a DICOM file.

    Returns:
        uint8 or uint16 `(3, H, W)`.

    Raises:
        PictureError: If it cannot be read, is smaller than 32 px, or needs a package that is not
            installed.
    """
    if dicom.is_dicom(path):
        image = dicom.read_dicom(path)
        _require_side(path, image.shape[-1], image.shape[-2])
        return image
    with _opened(path) as picture:
        is_16_bit, is_float = _is_16_bit(picture), picture.mode == "F"
    if is_float or not is_16_bit:
        return read_photograph(path)
    with require_16_bit_extra(path):
        import cv2
    # OpenCV, since Pillow decodes colours of 16 bit to 8; it applies the EXIF rotation.
    values = cv2.imread(str(path), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
    if values is None or values.dtype != np.uint16:
        raise PictureError(f"{path}: a picture of more than 8 bits that OpenCV cannot decode")
    _require_side(path, values.shape[1], values.shape[0])
    return torch.from_numpy(np.ascontiguousarray(values[..., ::-1].transpose(2, 0, 1)))


def read_mask(path: str | Path, like: Tensor | None = None) -> Tensor:
    """Read a binary mask: brighter than middle grey is inside; in a mask of 0 and 1, not 0.

    Args:
        path: A picture of any mode; a mask of several colours counts by its brightness.
        like: The photograph that the mask belongs to, `(3, H, W)`.

    Returns:
        bool `(1, H, W)`.

    Raises:
        PictureError: If it cannot be read, or has another size than the photograph.
    """
    picture = _decode(path)
    if like is not None:
        _require_size_of(path, picture, like)
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
    picture = _decode(path)
    if picture.mode not in ("L", "P", "1"):
        raise PictureError(
            f"{path}: bit flags need a grey picture of 8 bit, this is {picture.mode}"
        )
    _require_size_of(path, picture, like)
    return torch.from_numpy(np.array(picture, dtype=np.uint8))[None]


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """Open a picture with Pillow, and turn whatever it raises into a :class:`PictureError`."""
    try:
        with Image.open(path) as picture:
            yield picture
    except FileNotFoundError:
        raise PictureError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise PictureError(f"{path}: is a folder, not a picture") from None
    except UnidentifiedImageError:
        raise PictureError(
            f"{path}: cannot be read as a picture: damaged, or of a format that is not supported "
            "(JPEG, PNG, TIFF, BMP and WebP are)"
        ) from None
    except PictureError:
        raise
    except Exception as error:  # a broken file can raise anything in Pillow's many decoders
        raise PictureError(f"{path}: cannot be decoded ({error})") from None


def _decode(path: str | Path) -> Image.Image:
    """Decode a picture and apply its EXIF rotation."""
    with _opened(path) as picture:
        picture.load()  # Pillow rotates a TIFF here, and removes its orientation
        picture.getexif()
        # The bytes that EXIF was read from: Pillow would encode them anew, and fail over odd ones.
        picture.info.pop("exif", None)
        picture.info.pop("Raw profile type exif", None)
        ImageOps.exif_transpose(picture, in_place=True)
        return picture


def _is_16_bit(picture: Image.Image) -> bool:
    """Return whether an opened picture has more than 8 bits a colour."""
    if isinstance(picture, TiffImageFile):
        return bool(max(picture.tag_v2.get(BITS_PER_SAMPLE, (8,))) > 8)
    if isinstance(picture, PngImageFile):
        return any(";16" in str(tile.args) for tile in picture.tile)
    return picture.mode.startswith("I")


def _require_side(path: str | Path, width: int, height: int) -> None:
    """Raise if a photograph is too small for the networks."""
    if min(width, height) < MINIMUM_SIDE:
        raise PictureError(
            f"{path}: is {width}x{height} px; a photograph needs at least "
            f"{MINIMUM_SIDE}x{MINIMUM_SIDE}"
        )


def _require_size_of(path: str | Path, mask: Image.Image, photograph: Tensor) -> None:
    """Raise if a mask differs in size from the photograph that it belongs to."""
    height, width = photograph.shape[-2:]
    if (mask.height, mask.width) != (height, width):
        raise PictureError(
            f"{path}: is a mask of {mask.width}x{mask.height} px for a photograph of "
            f"{width}x{height} px; they must be equal"
        )
