"""GLCAE-like: fusion of a global and a local histogram equalisation."""

from __future__ import annotations

import torch
from kornia.filters import laplacian
from torch import Tensor

from magenet.models.peers.classical import CLAHE, blurred

LEVELS = 256
"""Histogram bins of the lightness."""


class GlobalLocalContrast(CLAHE):
    """Fusion of a global and a local equalisation by contrast and brightness, per pixel (GLCAE).

    The global one uses a histogram between the photograph's own and a flat one; the local one is
    CLAHE. The weight of each is its Laplacian times its closeness to mid-grey. Deviation: only
    lightness is equalised, and colours are scaled by its ratio; the blend of the histograms is
    fixed instead of optimised; weights are smoothed to avoid artefacts between neighbouring pixels.

    Args:
        clip_limit: Clip limit, the largest slope of the local histogram; 2 as in `CLAHE` (our
            choice).
        grid: Tiles along each axis; 8 as in `CLAHE` (our choice).
        flatness: Weight of the flat histogram against the photograph's own; 2 (our choice), since
            at 1 the noise of uniform regions shows.
        spread: Sigma of the Gaussian around mid-grey; 0.2 as in exposure fusion.
        smoothing: Sigma of the weights' smoothing, relative to the photograph's longer side; 0.01
            (our choice).

    Example:
        >>> import torch
        >>> GlobalLocalContrast()(torch.rand(1, 3, 45, 33)).image.shape
        torch.Size([1, 3, 45, 33])

    References:
        Tian, Cohen, "Global and local contrast adaptive enhancement for non-uniform illumination
        color images", ICCV workshops 2017, section 3. Mertens et al., "Exposure fusion", 2007.
    """

    def __init__(
        self,
        clip_limit: float = 2.0,
        grid: int = 8,
        flatness: float = 2.0,
        spread: float = 0.2,
        smoothing: float = 0.01,
    ) -> None:
        super().__init__(clip_limit, grid)
        self.flatness = flatness
        self.spread = spread
        self.smoothing = smoothing

    def stretched(self, lightness: Tensor, field: Tensor) -> Tensor:
        """Equalise the lightness, `(B, 1, H, W)`, over the whole field."""
        levels = (lightness * (LEVELS - 1)).round().long().flatten(1)  # (B, H W)
        inside = field.float().flatten(1)
        histogram = inside.new_zeros(len(levels), LEVELS).scatter_add(1, levels, inside)
        # Half of a level's own pixels: a uniform photograph becomes neither black nor white.
        below = histogram.cumsum(dim=1) - 0.5 * histogram
        below = below / histogram.sum(dim=1, keepdim=True).clamp(min=1.0)
        equal = below.gather(1, levels).view_as(lightness)
        # The cumulative sum of the blended histogram; that of a flat one is the lightness itself.
        return (equal + self.flatness * lightness) / (1.0 + self.flatness)

    def weight(self, lightness: Tensor, field: Tensor) -> Tensor:
        """Return the fusion weight of each pixel, `(B, 1, H, W)`, positive."""
        smoothing = self.smoothing * max(lightness.shape[-2:])
        # The rim is not contrast of the retina: the surround is filled by extending the field.
        lightness = torch.where(field, lightness, blurred(lightness, field, smoothing))
        contrast = laplacian(lightness, 3).abs()
        nearness = torch.exp(-0.5 * ((lightness - 0.5) / self.spread).square())
        return blurred(contrast * nearness, field, smoothing).clamp(min=0.0) + 1e-4

    def enhance(self, image: Tensor, field: Tensor) -> Tensor:
        """Return the fused photograph."""
        lightness = image.mean(dim=1, keepdim=True)
        candidates = (self.stretched(lightness, field), self.equalised(lightness))
        weights = [self.weight(candidate, field) for candidate in candidates]
        weighted = [w * candidate for w, candidate in zip(weights, candidates, strict=True)]
        fused = sum(weighted) / sum(weights)
        # At most the gain at which the brightest channel is 1: clamping would shift the colour.
        limit = 1.0 / image.amax(dim=1, keepdim=True).clamp(min=1e-3)
        return image * (fused / lightness.clamp(min=1e-3)).minimum(limit)
