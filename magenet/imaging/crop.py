"""Crop, resize, paste and composite of the square around the field of view."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Square:
    """Square in a photograph; it may reach beyond the frame.

    Attributes:
        top: First row, in pixels.
        left: First column, in pixels.
        side: Side, in pixels.
    """

    top: int
    left: int
    side: int


def peak(image: Tensor) -> int:
    """Return the value of full brightness: 255 for uint8, 65535 for uint16."""
    return torch.iinfo(image.dtype).max


def crop(picture: Tensor, square: Square) -> Tensor:
    """Return the square of a picture, black where it reaches beyond the frame.

    Args:
        picture: `(C, H, W)`, any type.
        square: The square.
    """
    height, width = picture.shape[-2:]
    right, bottom = square.left + square.side - width, square.top + square.side - height
    return functional.pad(picture, (-square.left, right, -square.top, bottom))


def at_side(picture: Tensor, side: int) -> Tensor:
    """Return square pictures averaged to another side; unchanged if they have it.

    Args:
        picture: Floats, `(B, C, S, S)`.
        side: Side of the result, in pixels.
    """
    if picture.shape[-1] == side:
        return picture
    return functional.interpolate(picture, (side, side), mode="bilinear", antialias=True)


def resize(picture: Tensor, side: int) -> Tensor:
    """Resize a square picture: photographs bilinear and anti-aliased, masks nearest neighbour.

    Args:
        picture: uint8, uint16 or bool `(C, S, S)`.
        side: Side of the result, in pixels.
    """
    if picture.shape[-1] == side:
        return picture
    if picture.dtype == torch.bool:
        return functional.interpolate(picture[None].float(), size=(side, side), mode="nearest")[
            0
        ].bool()
    # One colour at a time: floats take four times the memory.
    planes = [
        functional.interpolate(
            plane[None, None].float(), size=(side, side), mode="bilinear", antialias=True
        )[0, 0]
        for plane in picture
    ]
    return torch.stack(planes).round().clamp(0, peak(picture)).to(picture.dtype)


def paste(patch: Tensor, square: Square, height: int, width: int) -> Tensor:
    """Return `(C, height, width)`: `patch` `(C, side, side)` in its square, 0 elsewhere."""
    right, bottom = width - square.left - square.side, height - square.top - square.side
    return functional.pad(patch, (square.left, right, square.top, bottom))


def composite(enhanced: Tensor, original: Tensor, mask: Tensor) -> Tensor:
    """Return the enhanced photograph inside the field and the original, bit for bit, outside.

    Args:
        enhanced: `(..., 3, H, W)`.
        original: Same shape and type.
        mask: bool `(..., 1, H, W)`.

    Raises:
        ValueError: If shapes or types differ, since a silent cast would change pixels.
    """
    if enhanced.shape != original.shape or enhanced.dtype != original.dtype:
        raise ValueError(
            f"cannot composite {tuple(enhanced.shape)} {enhanced.dtype} with "
            f"{tuple(original.shape)} {original.dtype}"
        )
    return torch.where(mask, enhanced, original)
