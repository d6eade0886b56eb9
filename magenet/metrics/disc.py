"""Displacement of the optic disc. Its overlap is :func:`magenet.metrics.masked_dice`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from magenet.metrics.masks import check_masks


def disc_shift(before: Tensor, after: Tensor) -> Tensor:
    """Return the distance between two discs' centroids, in diameters of the first disc.

    The diameter is that of a circle of the same area.

    Args:
        before: Reference disc, `(B, 1, H, W)`; at least 0.5 is inside.
        after: Other disc, same shape.

    Returns:
        `(B,)`, at least 0; NaN where either disc is empty.

    Raises:
        ValueError: If shapes differ.

    Example:
        >>> before = torch.zeros(1, 1, 40, 40)
        >>> before[..., 10:20, 10:20] = 1.0
        >>> disc_shift(before, before.roll(5, dims=3))
        tensor([0.4431])
    """
    check_masks(before, after)
    offset = _centroid(after >= 0.5) - _centroid(before >= 0.5)
    area = (before >= 0.5).sum(dim=(1, 2, 3)).double()
    shift: Tensor = torch.linalg.vector_norm(offset, dim=1) / (4 * area / math.pi).sqrt()
    return shift.float()


def _centroid(disc: Tensor) -> Tensor:
    """Return each disc's centroid (row, column), `(B, 2)`; NaN where the disc is empty."""
    height, width = disc.shape[-2:]
    rows = torch.arange(height, dtype=torch.double, device=disc.device)
    columns = torch.arange(width, dtype=torch.double, device=disc.device)
    area = disc.sum(dim=(1, 2, 3))
    moments = [
        (disc.sum(dim=(1, 3)) * rows).sum(dim=1),
        (disc.sum(dim=(1, 2)) * columns).sum(dim=1),
    ]
    return torch.stack(moments, dim=1) / area[:, None]
