"""Visibility of lesions against the surrounding retina.

The pixels of all lesions of one kind are compared with a ring around them. Remove lesions of other
kinds from the mask to keep them out of the ring.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from magenet.metrics.masks import check_masks, dilate
from magenet.metrics.roc import roc_auc

RING = 8
"""Width of the ring in pixels, for a field 512 px wide: two microaneurysms (our choice)."""

ROUNDING = 1 / (255 * math.sqrt(12))
"""Floor of the ring's standard deviation: that of 8-bit rounding alone."""


def lesion_contrast(image: Tensor, lesion: Tensor, mask: Tensor, ring: int = RING) -> Tensor:
    """Return each photograph's contrast-to-noise ratio of one kind of lesion, in green.

    The absolute difference of the mean levels of lesion and ring over the ring's standard
    deviation. Smoothing raises it, and it does not distinguish dark from bright: read it beside
    :func:`detectability`.

    Args:
        image: `(B, 3, H, W)` in [0, 1].
        lesion: Lesions of this kind, `(B, 1, H, W)`; at least 0.5 is inside.
        mask: Field of view without the lesions of other kinds, `(B, 1, H, W)`, 0 or 1.
        ring: Width of the ring, in pixels.

    Returns:
        `(B,)`, at least 0; NaN where there is no lesion or no ring.

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
    """Return the area under the ROC curve of green as a classifier of lesion against ring pixels.

    Args:
        image: `(B, 3, H, W)` in [0, 1].
        lesion: Lesions of this kind, `(B, 1, H, W)`; at least 0.5 is inside.
        mask: Field of view without the lesions of other kinds, `(B, 1, H, W)`, 0 or 1.
        dark: Whether such lesions are darker than the retina (microaneurysms, haemorrhages) or
            brighter (hard and soft exudates).
        ring: Width of the ring, in pixels.

    Returns:
        `(B,)` in [0, 1]; 0.5 is chance, below it the contrast is inverted; NaN where there is no
        lesion or no ring.

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


def preservation(before: Tensor, after: Tensor, chance: float = 0.0, least: float = 0.05) -> Tensor:
    """Return the preserved share of a score above chance: 1 if unchanged, more if raised.

    Args:
        before: Score of the unenhanced photograph, `(B,)`.
        after: Score of the enhanced photograph, same shape.
        chance: Score of an invisible lesion: 0 for :func:`lesion_contrast`, 0.5 for
            :func:`detectability`.
        least: Excess over chance before, below which the share is one of noise (our choice).

    Returns:
        `(B,)`; NaN where the score before does not exceed chance by `least`.

    Example:
        >>> preservation(torch.tensor([0.9]), torch.tensor([0.7]), chance=0.5)
        tensor([0.5000])
    """
    excess = before - chance
    return torch.where(excess >= least, (after - chance) / excess, torch.nan)


def _lesion_and_ring(
    image: Tensor, lesion: Tensor, mask: Tensor, ring: int
) -> tuple[Tensor, Tensor]:
    """Return the lesions and the ring around them, inside the mask, bool `(B, 1, H, W)` each."""
    check_masks(image[:, 1:2], lesion, mask)
    inside = (lesion >= 0.5) & (mask > 0)
    return inside, dilate(inside, ring) & ~inside & (mask > 0)


def _mean(value: Tensor, where: Tensor) -> Tensor:
    """Return the mean of each `(1, H, W)` over selected pixels, `(B,)`; NaN if none are."""
    return torch.where(where, value, 0.0).sum(dim=(1, 2, 3)) / where.sum(dim=(1, 2, 3))
