"""Vignette: light that falls off from the middle of the field to its edge."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import GRID, enlarge
from magenet.degradation.frame import Frame


class Vignette(Factor):
    """Attenuation of linear light around the brightest point, exp(-fall * (distance / radius)^2).

    The point is off the centre where the lamp is not aligned with the eye, vertically more often
    than horizontally. At severity 1 25 to 70 % of the light is lost one radius away.
    """

    parameters: ClassVar = {
        "x": Parameter("brightest point, field diameters right of the field's centre", -2, 2),
        "y": Parameter("brightest point, field diameters below the field's centre", -2, 2),
        "fall": Parameter("exponent: linear light falls by exp(-fall) over one radius", 0, 10),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw the brightest point in field diameters from the centre, and the fall."""
        return {
            "x": rng.uniform("x", -0.35, 0.35),
            "y": rng.uniform("y", -0.4, 0.4),
            "fall": rng.uniform("fall", 0.3, 1.2) * severity,
        }

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Darken photographs."""
        radii = 2 * frame.distance(GRID, values["x"], values["y"])
        light = torch.exp(-values["fall"][:, None, None] * radii.square())
        return image.mul_(enlarge(light.sqrt_(), *frame.size))
