"""Pictures on the HTML report: reduced photographs, uncertainty in colours, thumbnails."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

SIDE = 1024
"""Longest side of a photograph on the page, in pixels (our choice)."""

QUALITY = 85
"""JPEG quality on the page (our choice)."""

HEAT_SIDE = 256
"""Longest side of an uncertainty map on the page, in pixels (our choice): it is smooth."""

THUMBNAIL_SIDE = 96
"""Longest side of a thumbnail in the table, in pixels (our choice): 2 kB each."""

THUMBNAIL_QUALITY = 70
"""JPEG quality of a thumbnail (our choice)."""

HEAT = np.array(
    [
        (0, 30, 60, 220, 0.0),
        (4, 30, 60, 220, 0.12),
        (12, 20, 130, 255, 0.55),
        (22, 40, 210, 245, 0.78),
        (32, 235, 255, 255, 0.92),
    ]
)
"""Colour scale of the uncertainty: expected error in grey levels of 255, red, green, blue, opacity.

It is the same for all photographs, so that they can be compared (our choice): transparent at 0,
then blue to white, colours that no retina has.
"""


def page_pixels(image: Tensor | None) -> NDArray[np.uint8] | None:
    """Return a photograph as uint8 `(H, W, 3)`, no larger than the page shows it."""
    if image is None:
        return None
    planes = []
    for plane in image:  # one by one, and reduced at once, to spare memory
        values = plane if plane.dtype == torch.uint8 else (plane.float() / 257).round().byte()
        small = Image.fromarray(values.numpy())
        small.thumbnail((SIDE, SIDE))
        planes.append(np.asarray(small))
    return np.stack(planes, axis=-1)


def reduced(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return a copy of a photograph, uint8 `(H, W, 3)`, of :data:`SIDE` pixels at most."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((SIDE, SIDE))
    return picture


def heat_map(uncertainty: NDArray[np.float32]) -> Image.Image:
    """Return an uncertainty map, float32 `(h, w)` in [0, 1], in the colours of :data:`HEAT`."""
    small = Image.fromarray(uncertainty)
    small.thumbnail((HEAT_SIDE, HEAT_SIDE))  # before colouring: colours do not average
    levels = 255 * np.asarray(small)
    channels = [np.interp(levels, HEAT[:, 0], column) for column in HEAT[:, 1:].T]
    channels[3] *= 255
    return Image.fromarray(np.stack(channels, axis=-1).round().astype(np.uint8))


def thumbnail_of(file: Path) -> str:
    """Return a thumbnail of a picture beside the page as a data URL."""
    with Image.open(file, formats=("JPEG",)) as picture:
        picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        stream = io.BytesIO()
        picture.save(stream, "jpeg", quality=THUMBNAIL_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def is_decodable(file: Path) -> bool:
    """Return whether a picture beside the page is there and can be decoded."""
    try:
        with Image.open(file, formats=("JPEG", "PNG")) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError):  # what Pillow raises over damaged files
        return False
    return True
