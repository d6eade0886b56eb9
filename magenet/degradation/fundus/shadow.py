"""Shadow: parts of the retina that receive too little light, as with a small pupil."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import GRID, enlarge
from magenet.degradation.frame import Frame

LOBES = 3


class Shadow(Factor):
    """Attenuation of linear light in one to three soft ellipses; cofe-Net's hole, corrected.

    Multiplied, not subtracted: colour is preserved and no vessel is lost to clipping. At severity 1
    3 to 30 % of the light is left in the middle of the first.
    """

    parameters: ClassVar = {
        "x": Parameter("centre, field diameters right of the field's centre", -2, 2, True),
        "y": Parameter("centre, field diameters below the field's centre", -2, 2, True),
        "length": Parameter("long radius, field diameters", 0.02, 2, True),
        "width": Parameter("short radius, field diameters", 0.02, 2, True),
        "angle": Parameter("angle of the long axis, radians", -7, 7, True),
        "flatness": Parameter(
            "exponent of the profile: 1 is a Gaussian, above 1 flatter in the middle", 0.5, 4, True
        ),
        "depth": Parameter("fraction of linear light lost in the middle", 0, 1, True),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw centres and radii in field diameters, and the fraction of light lost."""
        distance = rng.uniform("distance", 0.2, 0.6, LOBES)
        direction = rng.uniform("direction", 0.0, 2 * math.pi, LOBES)
        length = rng.uniform("length", 0.2, 0.5, LOBES)
        depth = rng.uniform("depth", 0.7, 0.97, LOBES)
        count = rng.integer("count", 1, LOBES)
        depth = torch.where(torch.arange(LOBES) < count[:, None], depth, 0.0)
        return {
            "x": distance * direction.cos(),
            "y": 1.4 * distance * direction.sin(),  # lids cast shadows more often than the sides
            "length": length,
            "width": length * rng.uniform("ratio", 0.5, 1.0, LOBES),
            "angle": rng.uniform("angle", 0.0, math.pi, LOBES),
            "flatness": rng.uniform("flatness", 1.0, 2.0, LOBES),
            "depth": depth * severity[:, None],
        }

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Add shadows to photographs."""
        x, y = (axis[:, None] for axis in frame.axes(GRID))
        shaped = {name: value[:, :, None, None] for name, value in values.items()}
        x, y = x - shaped["x"], y - shaped["y"]
        along = x * shaped["angle"].cos() + y * shaped["angle"].sin()
        across = y * shaped["angle"].cos() - x * shaped["angle"].sin()
        squared = (along / shaped["length"]).square() + (across / shaped["width"]).square()
        lobes = shaped["depth"] * torch.exp(-0.5 * squared.pow(shaped["flatness"]))
        light = (1 - lobes).prod(dim=1)
        return image.mul_(enlarge(light.sqrt_(), *frame.size))
