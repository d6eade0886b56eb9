"""Whether lesions can still be told from the retina around them.

All pixels of one kind of lesion are held against a ring around them. To keep other kinds out of the
ring, leave them out of the mask.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from magenet.metrics.planes import check_planes, dilate
from magenet.metrics.roc import roc_auc

RING = 8
"""Width of the ring, in pixels of a field that is 512 wide: two microaneurysms (our choice)."""

ROUNDING = 1 / (255 * math.sqrt(12))
"""Least standard deviation of the ring: what rounding to 8 bit alone makes."""


def lesion_contrast(image: Tensor, lesion: Tensor, mask: Tensor, ring: int = RING) -> Tensor:
    """Return each photograph's contrast-to-noise ratio of one kind of lesion, in green.

    The distance of the mean levels of lesion and ring over the ring's standard deviation. Smoothing
    raises it, and it does not tell dark from bright: read it beside :func:`detectability`.

    Args:
        image: `(B, 3, H, W)` in [0, 1].
        lesion: Where lesions of this kind are, `(B, 1, H, W)`; at least 0.5 is inside.
        mask: Field of view less the lesions of other kinds, `(B, 1, H, W)`, 0 or 1.
        ring: Width of the ring, in pixels.

    Returns:
        `(B,)`, 0 or more; NaN where no lesion or no ring is.

    Raises:
        ValueError: If shapes differ.

    Example:
        >>> image = torch.tensor([0.25, 0.5]).repeat(1, 3, 20, 10)
        >>> lesion = torch.zeros(1, 1, 20, 20)
        >>> lesion[..., 10, 10:12] = 1.0
        >>> lesion_contrast(image + 0.25 * lesion, lesion, torch.ones_like(lesion))
        tensor([2.])
    """
    inside, around = _lesion_and_ring(image, lesion, mask, ring)
    green = image[:, 1:2].double()
    level = _mean(green, around)
    spread = _mean((green - level[:, None, None, None]).square(), around).sqrt()
    return ((_mean(green, inside) - level).abs() / spread.clamp(min=ROUNDING)).float()


def detectability(
    image: Tensor, lesion: Tensor, mask: Tensor, dark: bool, ring: int = RING
) -> Tensor:
    """Return how well green alone tells one kind of lesion from its ring: the ROC area.

    Args:
        image: `(B, 3, H, W)` in [0, 1].
        lesion: Where lesions of this kind are, `(B, 1, H, W)`; at least 0.5 is inside.
        mask: Field of view less the lesions of other kinds, `(B, 1, H, W)`, 0 or 1.
        dark: Whether such lesions are darker than the retina (microaneurysms, haemorrhages) or
            brighter (hard and soft exudates).
        ring: Width of the ring, in pixels.

    Returns:
        `(B,)` in [0, 1]; 0.5 is chance, less is a lesion turned the wrong way; NaN where no lesion
        or no ring is.

    Raises:
        ValueError: If shapes differ.

    Example:
        >>> lesion = torch.zeros(1, 1, 20, 20)
        >>> lesion[..., 10, 10] = 1.0
        >>> image = 0.5 - 0.1 * lesion.expand(1, 3, 20, 20)
        >>> detectability(image, lesion, torch.ones_like(lesion), dark=True)
        tensor([1.])
    """
    inside, around = _lesion_and_ring(image, lesion, mask, ring)
    green = image[:, 1:2].float()
    area = roc_auc(green, inside, inside | around)
    return 1 - area if dark else area


def preservation(before: Tensor, after: Tensor, chance: float = 0.0) -> Tensor:
    """Return what is left of a score, 1 if all of it; more if it was raised.

    Args:
        before: Score of the photograph before, `(B,)`.
        after: Score after, same shape.
        chance: What the score is where nothing can be seen: 0 for :func:`lesion_contrast`, 0.5 for
            :func:`detectability`.

    Returns:
        `(B,)`; NaN where nothing could be seen before.

    Example:
        >>> preservation(torch.tensor([0.9]), torch.tensor([0.7]), chance=0.5)
        tensor([0.5000])
    """
    return torch.where(before > chance, (after - chance) / (before - chance), torch.nan)


def _lesion_and_ring(
    image: Tensor, lesion: Tensor, mask: Tensor, ring: int
) -> tuple[Tensor, Tensor]:
    """Return lesions and the ring around them, both inside the mask, bool `(B, 1, H, W)`."""
    check_planes(image[:, 1:2], lesion, mask)
    inside = (lesion >= 0.5) & (mask > 0)
    return inside, dilate(inside, ring) & ~inside & (mask > 0)


def _mean(value: Tensor, where: Tensor) -> Tensor:
    """Return the mean of each `(1, H, W)` over some of its pixels, `(B,)`; NaN over none."""
    return torch.where(where, value, 0.0).sum(dim=(1, 2, 3)) / where.sum(dim=(1, 2, 3))
