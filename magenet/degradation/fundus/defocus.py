"""Defocus: a point is imaged as a disc, the circle of confusion."""

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


class Defocus(Factor):
    """Blur by a uniform disc.

    At severity 1 the radius is 0.3 to 1 % of the field's diameter: 1.5 to 5 pixels of 512.
    """

    parameters: ClassVar = {
        "radius": Parameter("radius of the disc, field diameters", 0, 0.03),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw the disc's radius in field diameters."""
        return {"radius": rng.uniform("radius", 0.003, 0.010) * severity}

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Defocus photographs."""
        radius = values["radius"][:, None, None]

        def transfer(x: Tensor, y: Tensor) -> Tensor:
            phase = 2 * math.pi * radius * (x.square() + y.square()).sqrt()
            phase = phase.clamp(min=1e-3)  # the limit at 0 is 1
            airy: Tensor = 2 * torch.special.bessel_j1(phase) / phase
            return airy

        return from_linear(filtered(image.square_(), frame, transfer))
