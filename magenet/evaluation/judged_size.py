"""Photographs and their masks at the side at which judges see them."""

from __future__ import annotations

from typing import cast

from torch import Tensor

from data_modules.batch import AnyBatch, Batch
from magenet.imaging.crop import at_side

BINARY = ("mask_fov", "mask_valid")
"""Masks in which a pixel counts if at least half of it is inside; others keep the share."""


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
        small = at_side(value.float(), side)
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
