"""Colour: brightness, contrast and saturation, as changed by the camera's software."""

from __future__ import annotations

from typing import ClassVar

import torch
from kornia.color import rgb_to_grayscale
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import per_sample
from magenet.degradation.frame import Frame

KNEE = 0.8
"""Values above this approach 1 exponentially and never reach it: nothing clips to white."""


class Colour(Factor):
    """Change of brightness, contrast and saturation, about the mean grey inside the field.

    cofe-Net's colour factor, corrected. At severity 1 each changes by up to 30 %.
    """

    parameters: ClassVar = {
        "brightness": Parameter("factor", 0, 4),
        "contrast": Parameter("factor, about the field's mean grey", 0, 4),
        "saturation": Parameter("factor, 0 is grey", 0, 4),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw factors; 1 is no change."""
        return {name: 1 + rng.uniform(name, -0.3, 0.3) * severity for name in self.parameters}

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Change the colours of photographs."""
        brightness, contrast, saturation = (per_sample(values[name]) for name in self.parameters)
        grey = rgb_to_grayscale(image)
        area = frame.mask.sum(dim=(1, 2, 3), keepdim=True)
        mean = (grey * frame.mask).sum(dim=(1, 2, 3), keepdim=True) / area
        # All three are linear: they combine to one gain for colour, one for grey, and one offset.
        offset = brightness * mean * (1 - contrast)
        grey = grey.mul_(brightness * contrast * (1 - saturation)).add_(offset)
        changed = image.mul_(brightness * contrast * saturation).add_(grey).clamp_(min=0.0)
        rounded = 1 - (1 - KNEE) * torch.exp((KNEE - changed) / (1 - KNEE))
        return torch.where(changed > KNEE, rounded, changed)
