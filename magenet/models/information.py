"""Maps of the places where a photograph holds no information: clipped, or buried in noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

MAPS = 2

CLIPPING = slice(3, 4)
"""Channel of the first map where both follow the three colours."""

CLIPPED = (0.94, 0.98)
"""Values between which a pixel's darkest channel turns from signal to clipped. Below 1, since JPEG
and a camera's software leave clipped places a little darker (our choice)."""

BLOCK = 8
"""Side of the blocks whose noise is measured, in pixels."""

LEAST_NOISE = 1e-3
"""Noise that counts as none: a quarter of a grey level of 255."""


def clipped(image: Tensor) -> Tensor:
    """Return how far all channels are clipped, `(B, 1, H, W)` in [0, 1].

    Args:
        image: `(B, 3, H, W)` in [0, 1].
    """
    low, high = CLIPPED
    share = ((image.amin(dim=1, keepdim=True) - low) / (high - low)).clamp(0.0, 1.0)
    # The greatest nearby, then smoothed: a single darker pixel inside holds no information either.
    return functional.avg_pool2d(_greatest_of_three(share), 5, 1, 2, count_include_pad=False)


def noise_level(image: Tensor) -> Tensor:
    """Return the standard deviation of the noise around each pixel, `(B, 1, H, W)`.

    Args:
        image: `(B, 3, H, W)` in [0, 1].

    References:
        Immerkaer, "Fast noise variance estimation", CVIU 1996; here block by block.
    """
    height, width = image.shape[-2:]
    grey = functional.pad(image.mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    # Curvature along both axes, the kernel (1, -2, 1) x (1, -2, 1).
    mask = _curvature(_curvature(grey).mT).mT.abs()
    # The grey of three independent channels has 1 / sqrt(3) of their noise.
    mean = functional.avg_pool2d(mask, BLOCK, ceil_mode=True) * (
        math.sqrt(3.0) * math.sqrt(math.pi / 2) / 6
    )
    return functional.interpolate(mean, scale_factor=BLOCK, mode="nearest")[..., :height, :width]


def _greatest_of_three(share: Tensor) -> Tensor:
    """Return the greatest of 3x3 values at least 0, `(B, 1, H, W)`.

    Slices take a tenth of the time of `max_pool2d` with one channel on a CPU, as they do of a
    convolution below.
    """
    for _ in range(2):
        padded = functional.pad(share, (1, 1))
        share = torch.maximum(
            torch.maximum(padded[..., :-2], padded[..., 1:-1]), padded[..., 2:]
        ).mT
    return share


def _curvature(grey: Tensor) -> Tensor:
    """Return the second differences along rows, `(B, 1, H, W - 2)`."""
    return grey[..., :-2] + grey[..., 2:] - 2.0 * grey[..., 1:-1]


def information_maps(image: Tensor) -> Tensor:
    """Return both maps as inputs of a network, `(B, MAPS, H, W)` fp32: 0 where all is well.

    Args:
        image: `(B, 3, H, W)` in [0, 1].

    Returns:
        The share of clipping, and the logarithm to base 10 of the noise over :data:`LEAST_NOISE`.
    """
    with torch.no_grad(), torch.autocast(image.device.type, enabled=False):
        image = image.float()
        noise = (noise_level(image) / LEAST_NOISE).clamp(min=1.0).log10()
        return torch.cat([clipped(image), noise], dim=1)
