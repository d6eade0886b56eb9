"""Flare: a crescent of stray light at the edge of the field, reflected by lids, iris or cornea."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import GRID, enlarge
from magenet.degradation.frame import Frame
from magenet.degradation.light import from_linear

COLOURS = (
    (0.92, 0.90, 0.86),  # white
    (0.72, 0.62, 0.50),  # beige, reflected by the iris
    (0.52, 0.48, 0.44),  # grey
    (0.68, 0.76, 0.88),  # bluish
    (0.76, 0.68, 0.38),  # yellowish
    (0.30, 0.42, 0.90),  # blue, from the coating of a lens
    (1.00, 1.00, 1.00),  # clipped
)
"""RGB pixel values in [0, 1], estimated by eye from real photographs of reject quality."""


class Flare(Factor):
    """Veil over the field outside a clear disc that is displaced from the field's centre.

    The disc's edge ranges from sharp to soft, and its radius differs a little between channels, as
    real flares have coloured edges. At severity 1 the veil replaces 50 to 100 % at its strongest.
    """

    parameters: ClassVar = {
        "x": Parameter(
            "centre of the clear disc, field diameters right of the field's centre", -2, 2
        ),
        "y": Parameter("centre of the clear disc, field diameters below the field's centre", -2, 2),
        "radius": Parameter("radius of the clear disc, field diameters", 0, 2),
        "softness": Parameter("width of the disc's edge, field diameters", 0.005, 2),
        "fringe": Parameter(
            "difference of the radius between neighbouring channels, field diameters", -0.1, 0.1
        ),
        "share": Parameter("largest fraction of linear light replaced by the veil", 0, 1),
        "fall": Parameter("exponent of the fading along the edge; 0 is none", 0, 4),
        "red": Parameter("pixel value of the veil, red", 0, 1),
        "green": Parameter("pixel value of the veil, green", 0, 1),
        "blue": Parameter("pixel value of the veil, blue", 0, 1),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw the clear disc in field diameters, the veil's largest fraction and its colour."""
        angle = rng.uniform("angle", 0.0, 2 * math.pi)
        angle = torch.atan2(
            1.6 * angle.sin(), angle.cos()
        )  # from lids more often than from the sides
        radius = rng.uniform("radius", 0.3, 0.65)
        # Depth of the crescent at its middle; deep enough that the centre of the clear disc
        # lies on the other side of the field's centre.
        depth = torch.maximum(rng.uniform("depth", 0.08, 0.4), 0.52 - radius)
        distance = radius + depth - 0.5
        level = rng.uniform("level", 0.4, 1.0)
        colours = torch.tensor(COLOURS)[rng.integer("colour", 0, len(COLOURS) - 1).long()]
        red, green, blue = (level[:, None] * colours).unbind(dim=1)
        return {
            "x": distance * angle.cos(),
            "y": distance * angle.sin(),
            "radius": radius,
            "softness": depth * rng.uniform("softness", 0.25, 1.0),
            "fringe": depth * rng.uniform("fringe", -0.1, 0.1),
            "share": rng.uniform("share", 0.5, 1.0) * severity,
            "fall": rng.uniform("fall", 0.15, 0.6),
            "red": red,
            "green": green,
            "blue": blue,
        }

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Add the crescent to photographs."""
        x, y = frame.axes(GRID)
        shaped = {name: value[:, None, None] for name, value in values.items()}
        distance = frame.distance(GRID, values["x"], values["y"])
        # Strongest opposite to the disc, fading along the edge.
        away = shaped["x"].square() + shaped["y"].square()
        cosine = -(x * shaped["x"] + y * shaped["y"]) / (away.sqrt() * 0.5).clamp(min=1e-3)
        shares = []
        for step in (-1, 0, 1):
            ramp = (distance - shaped["radius"] - step * shaped["fringe"]) / shaped["softness"]
            smooth = ramp.clamp_(0.0, 1.0)
            shares.append(smooth * smooth * (3 - 2 * smooth))
        fade = (0.5 + 0.5 * cosine).clamp_(0.0, 1.0).pow(shaped["fall"])
        share = torch.stack(shares, 1) * (shaped["share"] * fade)[:, None]
        colour = torch.stack([values["red"], values["green"], values["blue"]], dim=1).square()
        veil = enlarge(torch.cat([share, share * colour[:, :, None, None]], 1), *frame.size)
        return from_linear(image.square_().mul_(1 - veil[:, :3]).add_(veil[:, 3:]))
