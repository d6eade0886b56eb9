"""Halo: stray light all around the field that increases towards its edge."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import GRID, enlarge
from magenet.degradation.frame import Frame
from magenet.degradation.light import from_linear

COLOURS = (
    (251, 249, 246), (255, 255, 255), (141, 238, 238), (177, 195, 147), (162, 205, 90),
    (250, 214, 140), (214, 172, 120),
)  # fmt: skip
"""RGB in [0, 255]: all halo colours of cofe-Net's scripts, and two warm ones from photographs."""


class Halo(Factor):
    """Linear light added outside an inner disc; cofe-Net's halo, corrected.

    Added by the screen blend, 1 - (1 - a)(1 - b), so that bright pixels saturate softly. At
    severity 1 the strongest channel gains 5 to 50 % of full light at the edge.
    """

    parameters: ClassVar = {
        "x": Parameter(
            "centre of the inner disc, field diameters right of the field's centre", -0.3, 0.3
        ),
        "y": Parameter(
            "centre of the inner disc, field diameters below the field's centre", -0.3, 0.3
        ),
        "inner": Parameter("radius of the inner disc, field diameters", 0, 0.49),
        "exponent": Parameter("exponent of the increase from the inner disc to the edge", 0.5, 8),
        "red": Parameter("linear light added at the edge, red", 0, 1),
        "green": Parameter("linear light added at the edge, green", 0, 1),
        "blue": Parameter("linear light added at the edge, blue", 0, 1),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw the inner disc in field diameters and the light at the edge."""
        colours = torch.tensor(COLOURS)[rng.integer("colour", 0, len(COLOURS) - 1).long()] / 255
        level = rng.uniform("level", 0.05, 0.5) * severity
        red, green, blue = (level[:, None] * colours.square()).unbind(dim=1)
        return {
            "x": rng.uniform("x", -0.08, 0.08),
            "y": rng.uniform("y", -0.08, 0.08),
            "inner": rng.uniform("inner", 0.3, 0.47),
            "exponent": rng.uniform("exponent", 1.2, 3.0),
            "red": red,
            "green": green,
            "blue": blue,
        }

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Add the halo to photographs."""
        shaped = {name: value[:, None, None] for name, value in values.items()}
        distance = frame.distance(GRID, values["x"], values["y"])
        ramp = (distance - shaped["inner"]) / (0.5 - shaped["inner"])
        ring = enlarge(ramp.clamp_(0.0, 1.0).pow(shaped["exponent"]), *frame.size)
        colour = torch.stack([values["red"], values["green"], values["blue"]], dim=1)
        dark = 1 - ring * colour[:, :, None, None]
        light = image.square_().neg_().add_(1).mul_(dark)
        return from_linear(light.neg_().add_(1))
