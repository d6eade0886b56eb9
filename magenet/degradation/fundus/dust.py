"""Dust: images of grains near the sensor, dark or bright, sharp or soft."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import soft_discs
from magenet.degradation.frame import Frame
from magenet.degradation.light import brightened, from_linear

MOST = 8
WIDEST = 0.08
"""Largest diameter of a disc including its edge, in field diameters."""


class Dust(Factor):
    """Gain of linear light in 1 to 8 discs: dark grains, and bright reflections of grains.

    The bright ones saturate as overexposure does. At severity 1 the light in each changes by 10
    to 60 %.
    """

    parameters: ClassVar = {
        "x": Parameter("centre, field diameters right of the field's centre", -2, 2, True),
        "y": Parameter("centre, field diameters below the field's centre", -2, 2, True),
        "radius": Parameter("radius at half the effect, field diameters", 0, 0.02, True),
        "edge": Parameter("width of the ramp at that radius, field diameters", 0, 0.04, True),
        "gain": Parameter(
            "gain of linear light minus 1: below 0 dark, above 0 bright", -1, 2, True
        ),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw centres, radii and edges in field diameters, and the gain minus 1."""
        count = rng.integer("count", 1, MOST)
        radius = rng.uniform("radius", 0.003, 0.02, MOST)
        gain = rng.uniform("gain", 0.1, 0.6, MOST) * severity[:, None]
        sign = torch.where(rng.uniform("bright", 0.0, 1.0, MOST) < 0.4, 1.0, -1.0)
        return {
            "x": rng.uniform("x", -0.45, 0.45, MOST),
            "y": rng.uniform("y", -0.45, 0.45, MOST),
            "radius": radius,
            "edge": radius * rng.uniform("edge", 0.1, 1.9, MOST),
            "gain": torch.where(torch.arange(MOST) < count[:, None], gain * sign, 0.0),
        }

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Add dust to photographs."""
        diameter = frame.diameter[:, None]
        gain = soft_discs(
            frame.size,
            frame.centre_x[:, None] + values["x"] * diameter,
            frame.centre_y[:, None] + values["y"] * diameter,
            values["radius"] * diameter,
            values["edge"] * diameter,
            values["gain"],
            WIDEST * max(frame.size),
        )
        gain = gain.add_(1).clamp_(min=0.05)
        return from_linear(brightened(image.square_(), gain))
