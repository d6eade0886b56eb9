"""Reading a picture from disk and writing one: nowhere else."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from magenet.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
"""File name endings that count as a photograph in a folder."""

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

KEPT_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
"""EXIF tags that go over to the result: description, camera, software, date, author, copyright.
Others say how the original's pixels are stored, which would be a lie about the result's."""

KEPT_DIRECTORIES = (0x8769, 0x8825)
"""EXIF directories that go over: how the photograph was taken, and where."""


def _open(path: str | Path) -> Image.Image:
    """Return the decoded picture, turned upright by its EXIF entry."""
    try:
        with Image.open(path) as picture:
            turn = UPRIGHT.get(picture.getexif().get(ORIENTATION, 1))
            if picture.format == "TIFF":
                turn = None  # Pillow turns these itself
            picture.load()
            return picture.copy() if turn is None else picture.transpose(turn)
    except FileNotFoundError:
        raise PictureError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise PictureError(f"{path}: is a folder, not a picture") from None
    except UnidentifiedImageError:
        raise PictureError(f"{path}: not a picture that Pillow can read") from None
    except Exception as error:  # a broken file can raise anything in Pillow's many decoders
        raise PictureError(f"{path}: cannot be decoded ({error})") from None


def header_fault(path: str | Path) -> str | None:
    """Return what is wrong with a picture's header, or None: quick, since no pixel is decoded."""
    try:
        with Image.open(path) as picture:
            size = picture.size
    except UnidentifiedImageError:
        return f"{path}: not a picture that Pillow can read"
    except Exception as error:  # see _open
        return f"{path}: cannot be read ({error})"
    return None if min(size) >= MINIMUM_SIDE else f"{path}: is {size[0]}x{size[1]} px"


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
    if min(picture.size) < MINIMUM_SIDE:
        raise PictureError(
            f"{path}: is {picture.width}x{picture.height} px; a photograph needs at least "
            f"{MINIMUM_SIDE}x{MINIMUM_SIDE}"
        )
    if picture.mode.startswith("I") or picture.mode == "F":
        wide = np.asarray(picture, dtype=np.float32)
        peak = 1.0 if picture.mode == "F" else 65535.0
        grey = (wide / peak * 255.0).round().clip(0, 255).astype(np.uint8)
        picture = Image.fromarray(grey)
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(ground, rgba)
    array = np.array(picture.convert("RGB"))
    return torch.from_numpy(array).permute(2, 0, 1).contiguous()


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
    lossless. The file appears under its name only when it is complete.

    Args:
        image: uint8 `(3, H, W)`.
        path: Where to write.
        source: The photograph that it was made from: the EXIF that describes how it was taken
            (not the rotation: the pixels are upright) and the colour profile are kept.

    Raises:
        PictureError: If it cannot be written.
    """
    target = Path(path)
    kind = Image.registered_extensions().get(target.suffix.lower())
    if kind is None:
        raise PictureError(f"{path}: cannot be written: unknown picture ending '{target.suffix}'")
    options: dict[str, object] = {}
    if kind == "JPEG":
        options.update(quality=JPEG_QUALITY, subsampling=0)
    elif kind == "WEBP":
        options.update(lossless=True)
    half = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if source is not None:
            options.update(_metadata(source))
        target.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
        picture.save(half, format=kind, **options)
        half.replace(target)
    except OSError as error:
        raise PictureError(f"{path}: cannot be written ({error.strerror or error})") from None
    except Exception as error:  # Pillow's encoders raise many kinds, over odd EXIF for one
        raise PictureError(f"{path}: cannot be written ({error})") from None
    finally:
        with contextlib.suppress(OSError):
            half.unlink()


def _metadata(source: str | Path) -> dict[str, object]:
    """Return what of a photograph's EXIF and colour profile belongs to a result made from it."""
    with Image.open(source) as original:
        given = original.getexif()
        profile = original.info.get("icc_profile")
        mode = original.mode
    kept = Image.Exif()
    for tag in KEPT_TAGS:
        if tag in given:
            kept[tag] = given[tag]
    for tag in KEPT_DIRECTORIES:
        directory = given.get_ifd(tag)
        if directory:
            kept.get_ifd(tag).update(directory)
    result: dict[str, object] = {}
    if len(kept) or any(kept.get_ifd(tag) for tag in KEPT_DIRECTORIES):
        result["exif"] = kept.tobytes()
    if profile and mode == "RGB":
        result["icc_profile"] = profile
    return result
