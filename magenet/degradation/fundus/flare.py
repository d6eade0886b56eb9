"""Flare: a crescent of stray light at the edge of the field, as from lids, iris or cornea."""

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
    (0.72, 0.62, 0.50),  # beige, as of the iris
    (0.52, 0.48, 0.44),  # grey
    (0.68, 0.76, 0.88),  # bluish
    (0.76, 0.68, 0.38),  # yellowish
)
"""Colours of the light as shown; estimated by eye from real photographs of reject quality."""


class Flare(Factor):
    """Veil what lies outside a clear disc that is off the field's centre.

    The disc's edge is sharp to soft, and differs a little between channels, as the edges of real
    flares are coloured. Severity 1 veils 50 to 95 % at the deepest.
    """

    parameters: ClassVar = {
        "x": Parameter(
            "centre of the clear disc, field diameters right of the field's centre", -2, 2
        ),
        "y": Parameter("centre of the clear disc, field diameters below the field's centre", -2, 2),
        "radius": Parameter("of the clear disc, field diameters", 0, 2),
        "softness": Parameter("width of its edge, field diameters", 0.005, 2),
        "fringe": Parameter(
            "difference of its radius between neighbouring channels, field diameters", -0.1, 0.1
        ),
        "share": Parameter("greatest share of linear light that is veiled", 0, 1),
        "fall": Parameter("exponent of the fading along the edge: 0 none", 0, 4),
        "red": Parameter("colour of the veil as shown, red", 0, 1),
        "green": Parameter("colour of the veil as shown, green", 0, 1),
        "blue": Parameter("colour of the veil as shown, blue", 0, 1),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Return the clear disc in field diameters, the veil's greatest share and its colour."""
        angle = rng.uniform("angle", 0.0, 2 * math.pi)
        angle = torch.atan2(1.6 * angle.sin(), angle.cos())  # lids more often than the sides
        radius = rng.uniform("radius", 0.3, 0.65)
        # How deep the crescent reaches into the field at its middle; at least so deep that the
        # clear disc lies on the other side of the field's centre.
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
            "share": rng.uniform("share", 0.5, 0.95) * severity,
            "fall": rng.uniform("fall", 0.15, 0.6),
            "red": red,
            "green": green,
            "blue": blue,
        }

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Return photographs with a crescent."""
        x, y = frame.axes(GRID)
        at = {name: value[:, None, None] for name, value in values.items()}
        distance = frame.distance(GRID, values["x"], values["y"])
        # Deepest opposite to the disc, fading along the edge.
        away = at["x"].square() + at["y"].square()
        cosine = -(x * at["x"] + y * at["y"]) / (away.sqrt() * 0.5).clamp(min=1e-3)
        shares = []
        for step in (-1, 0, 1):
            ramp = (distance - at["radius"] - step * at["fringe"]) / at["softness"]
            smooth = ramp.clamp_(0.0, 1.0)
            shares.append(smooth * smooth * (3 - 2 * smooth))
        fade = (0.5 + 0.5 * cosine).clamp_(0.0, 1.0).pow(at["fall"])
        share = torch.stack(shares, 1) * (at["share"] * fade)[:, None]
        colour = torch.stack([values["red"], values["green"], values["blue"]], dim=1).square()
        veil = enlarge(torch.cat([share, share * colour[:, :, None, None]], 1), *frame.size)
        return from_linear(image.square_().mul_(1 - veil[:, :3]).add_(veil[:, 3:]))
