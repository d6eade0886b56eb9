"""Blur: a Gaussian, as from opaque media; cofe-Net's blur, corrected."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.frame import Frame
from magenet.degradation.frequency import filtered
from magenet.degradation.light import from_linear


class Blur(Factor):
    """Gaussian blur whose width is relative to the field of view.

    At severity 1 sigma is 0.2 to 0.6 % of the field's diameter: 1 to 3 pixels of 512.
    """

    parameters: ClassVar = {
        "sigma": Parameter("sigma of the Gaussian, field diameters", 0, 0.01),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw sigma in field diameters."""
        return {"sigma": rng.uniform("sigma", 0.002, 0.006) * severity}

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Blur photographs."""
        sigma = values["sigma"][:, None, None]

        def transfer(x: Tensor, y: Tensor) -> Tensor:
            return torch.exp(-2 * (math.pi * sigma).square() * (x.square() + y.square()))

        return from_linear(filtered(image.square_(), frame, transfer))
