"""Reading of pictures of public data sets, some in formats that photographs never have: GIF, PPM.

Only for what a person downloaded and names on the command line: everything else reads pictures by
:mod:`data_modules.files.reading`, which opens fewer formats.
"""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from data_modules.files.errors import PictureError, require_file
from data_modules.files.reading import FORMATS, require_shape

OLD_FORMATS = (*FORMATS, "GIF", "PPM")
"""Decoders of Pillow that may be used."""

OLD_SUFFIXES = (".ppm", ".gif", ".ppm.gz")
"""File name endings of photographs that only this module reads."""

LARGEST = 512 * 2**20
"""Largest picture that is unpacked from a `.gz` file, in bytes (our choice)."""


def read_old_photograph(path: Path) -> Tensor:
    """Read a photograph of 8 bits a colour as RGB.

    Args:
        path: A picture, or one in a `.gz` file.

    Returns:
        uint8 `(3, H, W)`.

    Raises:
        PictureError: If it cannot be read, or is too small or too long for a photograph.
    """
    picture = _decoded(path)
    require_shape(path, *picture.size)
    values = np.array(picture.convert("RGB")).transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(values))


def read_levels(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Read the grey levels of a mask; of a mask in colours the brightest channel counts.

    Args:
        path: A picture of 1 or 8 bits a colour, or one in a `.gz` file.

    Returns:
        uint8 `(H, W)`; 0 and 255 for a picture of 1 bit.

    Raises:
        PictureError: If it cannot be read.
    """
    picture = _decoded(path)
    if picture.mode in ("1", "L"):
        return np.array(picture.convert("L"))
    levels: np.ndarray[Any, np.dtype[np.uint8]] = np.array(picture.convert("RGB")).max(axis=2)
    return levels


def _decoded(path: Path) -> Image.Image:
    """Return a decoded picture."""
    require_file(path)
    try:
        with (
            path.open("rb") as stream,
            Image.open(_unpacked(path, stream), formats=OLD_FORMATS) as picture,
        ):
            picture.load()
            return picture.copy()
    except UnidentifiedImageError:
        raise PictureError(
            f"{path}: cannot be read as a picture: damaged, or not {', '.join(OLD_FORMATS)}"
        ) from None
    except PictureError:
        raise
    except Exception as error:  # a broken file can raise anything in Pillow's many decoders
        raise PictureError(f"{path}: cannot be decoded ({error})") from None


def _unpacked(path: Path, stream: BinaryIO) -> BinaryIO:
    """Return what a `.gz` file holds; other files as they are.

    Raises:
        PictureError: If it holds more than :data:`LARGEST` bytes.
    """
    if path.suffix.lower() != ".gz":
        return stream
    with gzip.open(stream) as packed:
        content = packed.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise PictureError(f"{path}: holds more than {LARGEST >> 20} MB")
    return io.BytesIO(content)
