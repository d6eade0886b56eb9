"""Spots: soft bright discs, as from dust or drops on the optics; cofe-Net's, corrected."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import soft_discs
from magenet.degradation.frame import Frame
from magenet.degradation.light import from_linear

MOST = 14
WIDEST = 0.07
"""Largest diameter of a spot including its edge, in field diameters."""


class Spots(Factor):
    """White linear light added in 3 to 14 discs, in a loose cluster as on real lenses.

    At severity 1 each adds 5 to 40 % of full light.
    """

    parameters: ClassVar = {
        "x": Parameter("centre, field diameters right of the field's centre", -2, 2, True),
        "y": Parameter("centre, field diameters below the field's centre", -2, 2, True),
        "radius": Parameter("radius at half the light, field diameters", 0, 0.02, True),
        "edge": Parameter("width of the ramp at that radius, field diameters", 0, 0.03, True),
        "light": Parameter("linear light added", 0, 1, True),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw centres, radii and edges in field diameters, and the light added."""
        count = rng.integer("count", 3, MOST)
        middle_x, middle_y = rng.uniform("middle", -0.3, 0.3, 2).unbind(dim=1)
        spread = rng.uniform("spread", 0.1, 0.5)
        distance = spread[:, None] * rng.uniform("distance", 0.0, 1.0, MOST).sqrt()
        direction = rng.uniform("direction", 0.0, 2 * math.pi, MOST)
        light = rng.uniform("light", 0.05, 0.4, MOST) * severity[:, None]
        radius = rng.uniform("radius", 0.004, 0.017, MOST)
        return {
            "x": middle_x[:, None] + distance * direction.cos(),
            "y": middle_y[:, None] + distance * direction.sin(),
            "radius": radius,
            "edge": radius * rng.uniform("edge", 0.3, 1.5, MOST),
            "light": torch.where(torch.arange(MOST) < count[:, None], light, 0.0),
        }

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Add spots to photographs."""
        diameter = frame.diameter[:, None]
        light = soft_discs(
            frame.size,
            frame.centre_x[:, None] + values["x"] * diameter,
            frame.centre_y[:, None] + values["y"] * diameter,
            values["radius"] * diameter,
            values["edge"] * diameter,
            values["light"],
            WIDEST * max(frame.size),
        )
        kept = light.clamp_(max=1.0).neg_().add_(1)  # 1 - (1 - a)(1 - b), as in the halo
        return from_linear(image.square_().neg_().add_(1).mul_(kept).neg_().add_(1))
