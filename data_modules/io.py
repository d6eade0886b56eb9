"""Reading a picture from disk and writing one: nowhere else."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from magenet.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
"""File name endings that count as a photograph in a folder."""

MINIMUM_SIDE = 32
"""Smallest height and width of a photograph, in pixels: the networks' own limit."""

JPEG_QUALITY = 95


class PictureError(UserError):
    """Say which file could not be read or written, and why: "path: reason"."""


def _open(path: str | Path) -> Image.Image:
    """Return the decoded picture, turned upright by its EXIF entry."""
    try:
        with Image.open(path) as picture:
            picture.load()
            upright = ImageOps.exif_transpose(picture)
            return picture.copy() if upright is None else upright
    except FileNotFoundError:
        raise PictureError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise PictureError(f"{path}: is a folder, not a picture") from None
    except UnidentifiedImageError:
        raise PictureError(f"{path}: not a picture that Pillow can read") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise PictureError(f"{path}: cannot be decoded ({error})") from None


def read_photograph(path: str | Path) -> Tensor:
    """Read a photograph as RGB.

    EXIF rotation is applied; grey, palette, transparent and CMYK pictures become RGB
    (transparency on black); 16-bit grey is scaled to 8 bit.

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
        peak = 65535.0 if wide.max(initial=0.0) > 255 else 255.0
        grey = (wide / peak * 255.0).round().clip(0, 255).astype(np.uint8)
        picture = Image.fromarray(grey)
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(ground, rgba)
    array = np.array(picture.convert("RGB"))
    return torch.from_numpy(array).permute(2, 0, 1).contiguous()


def read_mask(path: str | Path, like: Tensor | None = None) -> Tensor:
    """Read a mask; what is brighter than the middle grey is inside.

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
    return torch.from_numpy(np.array(picture.convert("L")) > 127)[None]


def write_photograph(image: Tensor, path: str | Path, source: str | Path | None = None) -> None:
    """Write a photograph, whole or not at all.

    The name's ending chooses the format: JPEG at quality 95 without colour subsampling, else
    lossless. The file appears under its name only when it is complete.

    Args:
        image: uint8 `(3, H, W)`.
        path: Where to write.
        source: The photograph that it was made from: its EXIF (upright now, so without the
            rotation) and colour profile are kept.

    Raises:
        PictureError: If it cannot be written.
    """
    target = Path(path)
    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    options: dict[str, object] = {}
    if target.suffix.lower() in (".jpg", ".jpeg"):
        options.update(quality=JPEG_QUALITY, subsampling=0)
    elif target.suffix.lower() == ".webp":
        options.update(lossless=True)
    if source is not None:
        with Image.open(source) as original:
            exif = original.getexif()
            profile = original.info.get("icc_profile")
        exif.pop(0x0112, None)  # orientation: the pixels are upright
        if len(exif):
            options["exif"] = exif.tobytes()
        if profile and original.mode == "RGB":
            options["icc_profile"] = profile
    half = target.with_name(f".{target.name}.{os.getpid()}.part")
    kind = Image.registered_extensions().get(target.suffix.lower())
    if kind is None:
        raise PictureError(f"{path}: cannot be written: unknown picture ending '{target.suffix}'")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        picture.save(half, format=kind, **options)
        half.replace(target)
    except OSError as error:
        raise PictureError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        with contextlib.suppress(OSError):
            half.unlink()
