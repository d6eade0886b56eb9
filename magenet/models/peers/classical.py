"""Enhancers without learning: what any network must beat."""

from __future__ import annotations

import torch
from kornia.color import lab_to_rgb, rgb_to_lab
from kornia.enhance import equalize_clahe
from torch import Tensor

from magenet.models.enhancer import Enhancer, EnhancerOutput


class Identity(Enhancer):
    """Do nothing."""

    def forward(self, image: Tensor) -> EnhancerOutput:
        """Return the photograph as it is."""
        return EnhancerOutput((image,))


class CLAHE(Enhancer):
    """Equalise lightness locally with limited contrast, in Lab colour.

    Args:
        clip_limit: Greatest slope of the local histogram; 2 as usual for fundus photographs.
        grid: Tiles along each axis.
    """

    def __init__(self, clip_limit: float = 2.0, grid: int = 8) -> None:
        super().__init__()
        self.clip_limit = clip_limit
        self.grid = grid

    def forward(self, image: Tensor) -> EnhancerOutput:
        """Return the equalised photograph."""
        with torch.autocast(image.device.type, enabled=False):  # in bf16 Lab has 8 bits left
            lab = rgb_to_lab(image.float())
            lightness = equalize_clahe(
                (lab[:, :1] / 100.0).clamp(0.0, 1.0), self.clip_limit, (self.grid, self.grid)
            )
            equalised = torch.cat([lightness * 100.0, lab[:, 1:]], dim=1)
            return EnhancerOutput((lab_to_rgb(equalised).clamp(0.0, 1.0),))
