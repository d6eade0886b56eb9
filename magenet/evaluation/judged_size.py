"""Photographs and their masks at the side at which judges see them."""

from __future__ import annotations

from typing import cast

from torch import Tensor
from torch.nn import functional

from data_modules.batch import AnyBatch, Batch

BINARY = ("mask_fov", "mask_valid")
"""Masks in which a pixel counts if at least half of it is inside; others keep the share."""


def at_side(picture: Tensor, side: int) -> Tensor:
    """Return pictures `(B, C, S, S)` averaged to another side; unchanged if they have it."""
    if picture.shape[-1] == side:
        return picture
    size = (side, side)
    return functional.interpolate(picture.float(), size, mode="bilinear", antialias=True)


def judged_batch(batch: Batch, side: int) -> Batch:
    """Return a batch with its photographs and masks at another side.

    Args:
        batch: See :class:`Batch`; as floats.
        side: Of the result, in pixels.
    """
    resized: AnyBatch = dict(batch)
    for name, value in resized.items():
        if not isinstance(value, Tensor) or value.ndim != 4:
            continue
        small = at_side(value, side)
        if name in BINARY:
            small = (small >= 0.5).to(value.dtype)
        elif name == "mask_lesions":
            small = (small > 0).to(value.dtype)  # a microaneurysm is smaller than a pixel
        resized[name] = small
    mask = resized["mask_fov"]
    for name, value in resized.items():
        if name.startswith("image"):
            resized[name] = value * mask
    return cast(Batch, resized)
