"""Random scale and windows of photographs at their own scale."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from magenet.degradation import CounterRNG

MULTIPLE = 16
"""Sides of photographs, and sides and corners of windows, are multiples of this, in pixels."""


def require_window_size(size: int) -> None:
    """Raise unless windows of a size can lie on the grid of :data:`MULTIPLE`.

    Raises:
        ValueError: If they cannot.
    """
    if size < MULTIPLE or size % MULTIPLE:
        raise ValueError(f"window_size must be a multiple of {MULTIPLE} px, got {size}")


def draw_side(rng: CounterRNG, least: int, own: int) -> int:
    """Return the side of a batch, log-uniform from `least` to its own.

    Args:
        rng: Generator of the batch; the key of its first photograph decides.
        least: Smallest side, in pixels.
        own: Side of the batch, in pixels; the result is never larger.
    """
    low, high = math.log(min(least, own)), math.log(own)
    share = float(rng.uniform("side", 0.0, 1.0)[0])
    # The logarithm of 512 and back is a little less than 512.
    return max(1, math.floor(math.exp(low + share * (high - low)) / MULTIPLE + 1e-6)) * MULTIPLE


def draw_corners(rng: CounterRNG, count: int, window: int, side: int) -> Tensor:
    """Return upper left corners of windows, int64 `(B, count, 2)`, rows first.

    Args:
        rng: Generator of the batch.
        count: Windows of each photograph.
        window: Side of the windows, in pixels.
        side: Side of the photographs, in pixels.
    """
    # Their middles lie where the field is: not in the corners of its square.
    distance = 0.47 * rng.uniform("window_distance", 0.0, 1.0, count).sqrt()
    direction = rng.uniform("window_direction", 0.0, 2 * math.pi, count)
    places = 0.5 + torch.stack([direction.sin(), direction.cos()], dim=-1) * distance[..., None]
    corner = (places * side - window / 2) / MULTIPLE
    return corner.round().long().clamp(0, max(0, side - window) // MULTIPLE) * MULTIPLE
