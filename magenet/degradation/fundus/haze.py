"""Haze: the veil of a cloudy lens, which scatters light from the retina over the field."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from kornia.color import rgb_to_grayscale
from torch import Tensor
from torch.nn import functional

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import GRID, enlarge, smoothed
from magenet.degradation.frame import Frame
from magenet.degradation.light import from_linear


class Haze(Factor):
    """Replacement of a fraction of linear light by scattered light, which is smooth and pale.

    The scattered light is the blurred photograph, blended with a grey of the same brightness and a
    tint from bluish white to the yellow of a cataract. The fraction increases towards one side. At
    severity 1 it is 50 to 90 % in the middle.
    """

    parameters: ClassVar = {
        "share": Parameter("fraction of linear light that is scattered, in the middle", 0, 1),
        "lean_x": Parameter("relative increase of it per field diameter to the right", -2, 2),
        "lean_y": Parameter("relative increase of it per field diameter downwards", -2, 2),
        "reach": Parameter("sigma of the scatter, field diameters", 0.02, 1),
        "paleness": Parameter("fraction of grey in the scattered light", 0, 1),
        "red": Parameter("tint of that grey, red", 0, 2),
        "green": Parameter("tint of that grey, green", 0, 2),
        "blue": Parameter("tint of that grey, blue", 0, 2),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw the fraction, its change per field diameter, the reach in diameters, the tint."""
        angle = rng.uniform("angle", 0.0, 2 * math.pi)
        lean = rng.uniform("lean", 0.0, 0.8)
        warmth = rng.uniform("warmth", -0.15, 1.0)  # 1 is a cataract's yellow
        return {
            "share": rng.uniform("share", 0.5, 0.9) * severity,
            "lean_x": lean * angle.cos(),
            "lean_y": lean * angle.sin(),
            "reach": rng.uniform("reach", 0.06, 0.2),
            "paleness": rng.uniform("paleness", 0.3, 0.9),
            "red": 1.0 + 0.15 * warmth,
            "green": 1.0 - 0.05 * warmth,
            "blue": 1.0 - 0.5 * warmth,
        }

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Add haze to photographs."""
        x, y = frame.axes(GRID)
        shaped = {name: value[:, None, None] for name, value in values.items()}
        share = shaped["share"] * (1 + shaped["lean_x"] * x + shaped["lean_y"] * y)
        share = share.clamp_(0.0, 0.95)
        light = image.square_()
        coarse = functional.adaptive_avg_pool2d(
            torch.cat([light * frame.mask, frame.mask], 1), GRID
        )
        # The frame is stretched to the grid: the reach in cells differs along its two sides.
        reach = values["reach"] * frame.diameter * GRID
        coarse = smoothed(coarse, reach / frame.size[1], reach / frame.size[0])
        smooth = coarse[:, :3] / coarse[:, 3:].clamp(min=1e-3)
        tint = torch.stack([values["red"], values["green"], values["blue"]], dim=1)
        pale = rgb_to_grayscale(smooth) * tint[:, :, None, None]
        scattered = smooth + values["paleness"][:, None, None, None] * (pale - smooth)
        fields = enlarge(torch.cat([scattered * share[:, None], share[:, None]], 1), *frame.size)
        return from_linear(light.mul_(1 - fields[:, 3:]).add_(fields[:, :3]))
