"""Blur: the mild defocus of cofe-Net's released script."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from magenet.degradation.draws import Draws
from magenet.degradation.fields import REFERENCE_SIDE, truncated_gaussian

WIDEST = 7
"""Widest kernel, in reference pixels."""


def blur(image: Tensor, draws: Draws) -> Tensor:
    """Blur photographs by a Gaussian of sigma 5 to 15 cut off at 1 to 7 reference pixels.

    The cut is far inside the Gaussian, so this is nearly a small box, and a share of the draws
    hardly changes anything: a quirk of the released script, kept. Below the reference size the
    kernel shrinks with the photograph.

    Args:
        image: `(B, 3, S, S)` in [0, 1], the square around the field.
        draws: Of the same batch.

    Returns:
        `(B, 3, S, S)` in [0, 1].

    References:
        cofe-Net's released script, image blurring.
    """
    sigma = draws.uniform("blur_sigma", 5.0, 15.0)
    for axis in (2, 3):
        low, high = (sigma / 3).floor(), (sigma / 2).floor()
        kernel = draws.integer(f"blur_kernel_{axis}", low, high)
        kernel = kernel + (kernel % 2 == 0).float()
        cell = REFERENCE_SIDE / image.shape[axis]
        reach = max(1, math.ceil((WIDEST - 1) / 2 / cell))
        offsets = torch.arange(-reach, reach + 1, device=image.device).float()
        weights = truncated_gaussian(kernel, sigma, offsets, cell)
        weights = weights / weights.sum(dim=1, keepdim=True)
        padding = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
        padded = functional.pad(image, padding, mode="reflect")
        length = image.shape[axis]
        shifts = (
            padded.narrow(axis, tap, length) * weights[:, tap, None, None, None]
            for tap in range(len(offsets))
        )
        image = sum(shifts, torch.zeros_like(image))
    return image.clamp(0.0, 1.0)
