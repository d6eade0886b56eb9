"""Colour: brightness, contrast and saturation, as in Pillow's `ImageEnhance`."""

from __future__ import annotations

from typing import ClassVar

from kornia.color import rgb_to_grayscale
from torch import Tensor

from magenet.degradation.cofe.variant import Variant
from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import per_sample
from magenet.degradation.frame import Frame


class Colour(Factor):
    """Change of brightness, then of contrast about the mean grey, then of saturation.

    The mean is that of the whole frame, black surround included. Deviation: Pillow rounds to 8
    bits after each step; this does not.

    Args:
        variant: `offline` draws brightness from 0.7 to 1.2, contrast and saturation from 0.6 to
            1.4; the other variants draw all three from 0.5 to 1.5.
    """

    parameters: ClassVar = {
        "brightness": Parameter("factor", 0, 4),
        "contrast": Parameter("factor, about the frame's mean grey", 0, 4),
        "saturation": Parameter("factor, 0 is grey", 0, 4),
    }

    def __init__(self, variant: Variant = "offline") -> None:
        self.offline = variant == "offline"

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw factors; 1 is no change."""
        ranges = ((0.7, 1.2), (0.6, 1.4), (0.6, 1.4)) if self.offline else ((0.5, 1.5),) * 3
        return {
            name: rng.uniform(name, low, high)
            for name, (low, high) in zip(self.parameters, ranges, strict=True)
        }

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Change the colours of photographs."""
        brightness, contrast, saturation = (per_sample(values[name]) for name in self.parameters)
        image = image.mul_(brightness).clamp_(0.0, 1.0)
        mean = rgb_to_grayscale(image).mean(dim=(1, 2, 3), keepdim=True)
        image = image.mul_(contrast).add_((1 - contrast) * mean).clamp_(0.0, 1.0)
        grey = rgb_to_grayscale(image)
        return image.mul_(saturation).add_(grey.mul_(1 - saturation)).clamp_(0.0, 1.0)
