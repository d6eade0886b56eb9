"""Transfer of a change made at the network's size to the photograph at its own size."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from magenet.imaging.crop import composite, peak
from magenet.imaging.field_of_view import FieldOfView

BAND = 256
"""Rows of the photograph held as floats at a time."""


def transfer(
    enhanced: Tensor, seen: Tensor, inside: Tensor, original: Tensor, field: FieldOfView
) -> Tensor:
    """Return the photograph plus the upsampled change of its small copy.

    The network sees every eye at the scale of its training; its change is smooth compared with a
    pixel of the original, so it is upsampled and added. The original's own detail stays, memory is
    bounded by the photograph itself, and there are no seams.

    Args:
        enhanced: Output of the network, `(3, S, S)` in [0, 1].
        seen: Its input, `(3, S, S)` in [0, 1].
        inside: Field of view of its input, `(1, S, S)`, 0 or 1.
        original: The photograph, uint8 or uint16 `(3, H, W)`.
        field: Its field of view at full size.

    Returns:
        A photograph of the type and shape of `original`, bit for bit equal to it outside the field.
    """
    maximum = float(peak(original))
    square = field.square
    change = enhanced.float() - seen.float()
    if square.side != change.shape[-1]:  # else the edge of the field is where it was
        change = spread(change[None], inside.float()[None])[0]
    height, width = original.shape[-2:]
    left, right = max(square.left, 0), min(square.left + square.side, width)
    columns = torch.arange(left, right) - square.left
    result = original.clone()
    top, bottom = max(square.top, 0), min(square.top + square.side, height)
    for start in range(top, bottom, BAND):
        rows = slice(start, min(start + BAND, bottom))
        upsampled = enlarged(
            change, torch.arange(rows.start, rows.stop) - square.top, columns, square.side
        )
        before = original[:, rows, left:right].float()
        after = (before + maximum * upsampled).round().clamp(0, maximum)
        after = composite(after, before, field.mask[:, rows, left:right])
        result[:, rows, left:right] = after.to(original.dtype)
    return result


def enlarged(picture: Tensor, rows: Tensor, columns: Tensor, side: int) -> Tensor:
    """Return a part of a square picture upsampled bilinearly to another side.

    Args:
        picture: `(C, S, S)`.
        rows: Rows of the upsampled picture, `(h,)`.
        columns: Columns of it, `(w,)`.
        side: Side of it, in pixels.

    Returns:
        `(C, h, w)`: that part of what `interpolate` returns, to rounding.

    Example:
        >>> picture, every = torch.rand(3, 5, 5), torch.arange(12)
        >>> whole = functional.interpolate(picture[None], (12, 12), mode="bilinear")[0]
        >>> torch.allclose(enlarged(picture, every[3:7], every, 12), whole[:, 3:7], atol=1e-6)
        True
    """

    def neighbours(positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the two neighbours of each position and the weight of the second."""
        last = picture.shape[-1] - 1
        source = ((positions + 0.5) * (picture.shape[-1] / side) - 0.5).clamp(0, last)
        first = source.floor().long()
        return first, (first + 1).clamp(max=last), source - first

    upper, lower, weight = neighbours(rows)
    strips = torch.lerp(picture[:, upper], picture[:, lower], weight[None, :, None])
    left, right, weight = neighbours(columns)
    return torch.lerp(strips[..., left], strips[..., right], weight[None, None, :])


def enhance_at(
    size: int, network: Callable[[Tensor, Tensor], Tensor], image: Tensor, mask: Tensor
) -> Tensor:
    """Enhance photographs of any size by a network that sees them at one size.

    Args:
        size: Side of the network's input, in pixels.
        network: Function of photographs `(B, 3, size, size)` and masks `(B, 1, size, size)` that
            returns enhanced photographs.
        image: Photographs cropped to their field, `(B, 3, S, S)` in [0, 1].
        mask: Field of view, `(B, 1, S, S)`, 0 or 1.

    Returns:
        `(B, 3, S, S)` in [0, 1]; at `S = size` the network's own output.
    """
    if image.shape[-1] == size:
        return network(image, mask)
    seen = functional.interpolate(image, (size, size), mode="bilinear", antialias=True)
    inside = (functional.interpolate(mask, (size, size), mode="area") >= 0.5).to(mask.dtype)
    change = spread(network(seen, inside) - seen, inside)
    change = functional.interpolate(change, image.shape[-2:], mode="bilinear")
    return (image + change).clamp(0.0, 1.0)


def spread(change: Tensor, inside: Tensor) -> Tensor:
    """Return the change inside the field, extrapolated by two pixels beyond its edge.

    The network was not trained on the surround, and at full size the field's edge lies up to one
    small pixel further out: there the mean of the neighbours inside is used.

    Args:
        change: `(B, C, S, S)`.
        inside: Field of view, `(B, 1, S, S)`, 0 or 1.
    """
    change = change * inside
    for _ in range(2):
        area = functional.avg_pool2d(inside, 3, 1, 1)
        mean = functional.avg_pool2d(change, 3, 1, 1) / area.clamp(min=1e-6)
        change = change.where(inside > 0, mean)
        inside = (area > 0).float()
    return change
