"""Colour cast: a lamp or a sensor with another spectrum."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.frame import Frame


class Cast(Factor):
    """Attenuation of linear light per channel; the strongest channel is kept, so nothing clips.

    At severity 1 the gains of two channels differ by up to a factor of 2.2.
    """

    parameters: ClassVar = {
        "red": Parameter("gain of linear light, red", 0, 1),
        "green": Parameter("gain of linear light, green", 0, 1),
        "blue": Parameter("gain of linear light, blue", 0, 1),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw the gains of linear light, at most 1."""
        shift = rng.uniform("shift", -0.4, 0.4, 3) * severity[:, None]
        gains = torch.exp(shift - shift.amax(dim=1, keepdim=True))
        return dict(zip(self.parameters, gains.unbind(dim=1), strict=True))

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Apply the colour cast to photographs."""
        gains = torch.stack([values[name] for name in self.parameters], dim=1)
        return image.mul_(gains.sqrt()[:, :, None, None])
