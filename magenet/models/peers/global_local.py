"""GLCAE-like: equalised globally and locally, fused where each shows more."""

from __future__ import annotations

import torch
from kornia.filters import laplacian
from torch import Tensor

from magenet.models.peers.classical import CLAHE, blurred

LEVELS = 256
"""Of the lightness, for its histogram."""


class GlobalLocalContrast(CLAHE):
    """Fuse a global and a local equalisation by contrast and brightness, pixel by pixel.

    The global one follows a histogram between the photograph's own and a flat one; the local
    one is CLAHE. Each weighs as much as its Laplacian and its nearness to mid-grey say.
    Deviation: lightness alone is equalised and colour follows by its ratio; the histogram's
    mixture is fixed instead of searched for; weights are smoothed, so that they do not flicker.

    Args:
        clip_limit: Greatest slope of the local histogram; 2 as in `CLAHE` (our choice).
        grid: Tiles along each axis; 8 as in `CLAHE` (our choice).
        flatness: Weight of the flat histogram against the photograph's own; 2 (our choice), since
            at 1 the noise of even regions shows.
        spread: Of the Gaussian around mid-grey; 0.2 as in exposure fusion.
        smoothing: Sigma that weights are smoothed with, over the photograph's longer side; 0.01
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
        """Return the lightness, `(B, 1, H, W)`, equalised over the whole field."""
        levels = (lightness * (LEVELS - 1)).round().long().flatten(1)  # (B, H W)
        inside = field.float().flatten(1)
        histogram = inside.new_zeros(len(levels), LEVELS).scatter_add(1, levels, inside)
        # Half of a level's own pixels: then a flat photograph becomes neither black nor white.
        below = histogram.cumsum(dim=1) - 0.5 * histogram
        below = below / histogram.sum(dim=1, keepdim=True).clamp(min=1.0)
        equal = below.gather(1, levels).view_as(lightness)
        # The cumulative sum of a mixture of histograms; the flat one's is the lightness itself.
        return (equal + self.flatness * lightness) / (1.0 + self.flatness)

    def weight(self, lightness: Tensor, field: Tensor) -> Tensor:
        """Return how much each pixel has to show, `(B, 1, H, W)`, positive."""
        smoothing = self.smoothing * max(lightness.shape[-2:])
        # The rim is no contrast of the retina: the surround continues it.
        lightness = torch.where(field, lightness, blurred(lightness, field, smoothing))
        contrast = laplacian(lightness, 3).abs()
        nearness = torch.exp(-0.5 * ((lightness - 0.5) / self.spread).square())
        return blurred(contrast * nearness, field, smoothing).clamp(min=0.0) + 1e-4

    def enhance(self, image: Tensor, field: Tensor) -> Tensor:
        """Return the fused photograph."""
        lightness = image.mean(dim=1, keepdim=True)
        ways = (self.stretched(lightness, field), self.equalised(lightness))
        weights = [self.weight(way, field) for way in ways]
        fused = sum(w * way for w, way in zip(weights, ways, strict=True)) / sum(weights)
        # Not beyond what the brightest channel has room for: clamped, a colour would shift.
        room = 1.0 / image.amax(dim=1, keepdim=True).clamp(min=1e-3)
        return image * (fused / lightness.clamp(min=1e-3)).minimum(room)
