"""Vessels by a ridge filter: a judge that nothing was trained for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

DARKEST = 0.02
"""Added to pixel values before their logarithm, so that noise in the dark counts little."""

STEEPNESS = 8.0
"""Logit at a response of twice the threshold (our choice)."""


class RidgeFilter(nn.Module):
    """Vessel segmentation by the curvature of the logarithm of green, at several scales.

    Across a vessel, which is darker than its surround, the curvature is positive and large, and
    along it small: the response is the larger eigenvalue of the Hessian less the size of the
    smaller, normalised by the scale. A logarithm makes it the same in light and in shade. The
    `share` of the field with the largest response is vessel, so that no photograph gains by
    stronger contrast alone: the response has to be in the right places.

    Args:
        share: Share of the field that counts as vessel; about that of experts' masks.
        sigmas: Scales, in pixels of a photograph 512 px wide (our choice: vessels of 2 to 12 px).

    Example:
        >>> image = torch.full((1, 3, 64, 64), 0.5)
        >>> image[..., 30:33] = 0.3
        >>> found = RidgeFilter(sigmas=(12.0,))(image) > 0
        >>> bool(found[..., 31].all()), int(found[..., :20].sum())
        (True, 0)

    References:
        Lindeberg, "Edge detection and ridge detection with automatic scale selection", IJCV 1998.
        Frangi et al., "Multiscale vessel enhancement filtering", MICCAI 1998.
    """

    def __init__(self, share: float = 0.1, sigmas: Sequence[float] = (1.2, 1.8, 2.7, 4.0)) -> None:
        super().__init__()
        self.share = share
        self.sigmas = tuple(sigmas)

    def forward(self, image: Tensor) -> Tensor:
        """Return vessel logits, `(B, 1, H, W)`, for photographs `(B, 3, H, W)` in [0, 1].

        Photographs are black outside the field; its rim counts as outside.
        """
        with torch.autocast(image.device.type, enabled=False):
            image = image.float()
            inside = (image.amax(dim=1, keepdim=True) > DARKEST).float()
            scale = image.shape[-1] / 512
            widest = max(self.sigmas) * scale
            deep = gaussian(inside, 2 * widest, 0, 0) > 0.99
            level = (image[:, 1:2] + DARKEST).log() * inside
            # Beyond the rim the local mean: a fall to black would be a ridge.
            around = gaussian(inside, 2 * widest, 0, 0).clamp(min=1e-3)
            level = torch.where(inside > 0, level, gaussian(level, 2 * widest, 0, 0) / around)
            response = torch.stack([ridges(level, sigma * scale) for sigma in self.sigmas])
            strongest = response.amax(dim=0) * deep
            limits = [
                part[field].quantile(1 - self.share) if bool(field.any()) else part.new_ones(())
                for part, field in zip(strongest, deep, strict=True)
            ]
            limit = torch.stack(limits)[:, None, None, None].clamp(min=1e-6)
            return STEEPNESS * (strongest / limit - 1)


def ridges(level: Tensor, sigma: float) -> Tensor:
    """Return the response to dark lines of one scale, `(B, 1, H, W)`, at least 0."""
    across, along, mixed = (
        sigma**2 * gaussian(level, sigma, *orders) for orders in ((2, 0), (0, 2), (1, 1))
    )
    middle = (across + along) / 2
    spread = ((across - along).square() / 4 + mixed.square()).sqrt()
    return ((middle + spread) - (middle - spread).abs()).clamp(min=0.0)


def gaussian(picture: Tensor, sigma: float, order_x: int, order_y: int) -> Tensor:
    """Return pictures `(B, 1, H, W)` convolved with derivatives of a Gaussian."""
    reach = math.ceil(4 * sigma)
    at = torch.arange(-reach, reach + 1, device=picture.device) / sigma
    bell = torch.exp(-0.5 * at.square())
    bell = bell / bell.sum()
    taps = {0: bell, 1: -at / sigma * bell, 2: (at.square() - 1) / sigma**2 * bell}
    for order, shape in ((order_x, (1, 1, 1, -1)), (order_y, (1, 1, -1, 1))):
        padding = (reach, reach, 0, 0) if shape[3] == -1 else (0, 0, reach, reach)
        padded = functional.pad(picture, padding, mode="replicate")
        picture = functional.conv2d(padded, taps[order].flip(0).view(shape))
    return picture
