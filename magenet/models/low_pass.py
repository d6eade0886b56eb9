"""Gaussian blur of any width."""

from __future__ import annotations

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor


def low_pass(image: Tensor, sigma: float) -> Tensor:
    """Return photographs `(B, C, H, W)` after a Gaussian blur, in fp32.

    Args:
        image: `(B, C, H, W)`.
        sigma: Sigma, in pixels.
    """
    size = 2 * max(1, round(2.5 * sigma)) + 1
    with torch.autocast(image.device.type, enabled=False):
        blurred: Tensor = gaussian_blur2d(image.float(), (size, size), (sigma, sigma))
    return blurred
