"""No-reference scores, to monitor real photographs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from magenet.metrics.masks import mean_inside
from magenet.models.pyramid import CONTRAST_STRIDE, above_noise, band_contrast

VESSEL_BANDS = slice(1, 4)
"""Bands of a Laplacian pyramid that show vessels, 2 to 16 px wide; the finest tells the noise."""

LEAST_CONTRAST = 1e-3
"""Relative contrast that counts as none (our choice)."""


def local_contrast(image: Tensor, mask: Tensor) -> Tensor:
    """Return each photograph's root mean square deviation of green from its local mean.

    Green shows vessels best. The deviation is divided by the mean level, so that brightening alone
    does not raise it. Noise and sharpening do: monitor it, do not rank by it.

    Args:
        image: `(B, 3, H, W)` in [0, 1].
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.

    Returns:
        `(B,)`, at least 0, relative to the mean level.
    """
    green, mask = image[:, 1:2].float(), mask.float()
    spread = mean_inside((green - _local_mean(green, mask, image.shape[-1] // 32)).square(), mask)
    return spread.sqrt() / mean_inside(green, mask).clamp(min=0.02)


def vessel_clarity(image: Tensor, mask: Tensor) -> Tensor:
    """Return how clear the structures of a vessel's width are in each photograph, `(B,)`.

    Mean logarithm of the contrast of green relative to its local level, 2 to 16 px wide, without
    what white noise as strong as in the finest band would explain: brightening, tinting or noise
    alone does not raise it. Sharpening does: do not rank enhancers by it.

    Args:
        image: `(B, 3, H, W)` in [0, 1], sides of 32 px or more.
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.
    """
    green, mask = image[:, 1:2].float(), mask.float()
    mean = _local_mean(green, mask, image.shape[-1] // 8).clamp(min=0.02)
    flat = torch.lerp(torch.ones_like(green), green / mean, mask)  # without an edge at the rim
    contrast = band_contrast(flat.expand(-1, 3, -1, -1), VESSEL_BANDS.stop)
    contrast = (contrast * above_noise(contrast).sqrt())[:, VESSEL_BANDS] + LEAST_CONTRAST
    inside = functional.avg_pool2d(mask, CONTRAST_STRIDE, ceil_mode=True)
    return mean_inside(contrast.log(), (inside >= 1.0).float())


def _local_mean(plane: Tensor, mask: Tensor, reach: int) -> Tensor:
    """Return the mean of `(B, 1, H, W)` over a square around each pixel, inside a mask."""
    size = 2 * max(2, reach) + 1
    sums = torch.cat([plane * mask, mask], dim=1)
    # One axis after the other: a square of 63 px at once takes 3 s of a photograph of 1000 px, and
    # not 0.1 s.
    for kernel in ((size, 1), (1, size)):
        sums = functional.avg_pool2d(sums, kernel, 1, (kernel[0] // 2, kernel[1] // 2))
    return sums[:, :1] / sums[:, 1:].clamp(min=1e-3)
