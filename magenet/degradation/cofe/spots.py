"""Spots: soft bright discs, as from dust on the optics."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from magenet.degradation.cofe.variant import Variant
from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import REFERENCE_SIDE, odd, soft_discs
from magenet.degradation.frame import Frame

WIDEST = 38.0
"""Largest diameter of a spot including its soft edge, in reference pixels: 2 x 12.5 + 13."""


class Spots(Factor):
    """Discs of light added to all channels.

    The script blurs each by a kernel far smaller than its sigma, which is nearly a box: the edge
    becomes a ramp, drawn here directly, as wide as a box of the kernel's variance. Deviation: the
    scripts draw a kernel size for each axis; here the edge has the same width all around.

    Args:
        variant: `offline` draws 5 to 10 spots; `online` 5 to 20 larger ones with a random strength
            and a fixed edge; `published` 15 to 23, all but the largest fainter, since an integer
            division made beta 0.5 for them.
    """

    parameters: ClassVar = {
        "x": Parameter("column of the centre, pixels of 512", -512, 1024, True),
        "y": Parameter("row of the centre, pixels of 512", -512, 1024, True),
        "radius": Parameter("radius at half the strength, pixels of 512", 0, 12.5, True),
        "edge": Parameter("width of the ramp at that radius, pixels of 512", 0, 13, True),
        "strength": Parameter("light added", -1, 1, True),
    }

    def __init__(self, variant: Variant = "offline") -> None:
        self.variant = variant
        self.fewest, self.most = {"offline": (5, 10), "online": (5, 20), "published": (15, 23)}[
            variant
        ]

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw centres, radii and edges in reference pixels, and the light added."""
        most = self.most
        count = rng.integer("count", self.fewest, most)
        smallest = 14 if self.variant == "online" else 6
        size = rng.integer("size", smallest, 25, most)  # "radius" in the script
        room = REFERENCE_SIDE - 2 * size - 2
        centre_x = size + 1 + rng.uniform("x", 0.0, 1.0, most) * room
        centre_y = size + 1 + rng.uniform("y", 0.0, 1.0, most) * room
        if self.variant == "online":
            thickness = rng.uniform("thickness", 0.0, 0.3, most)
            beta = rng.uniform("beta", 0.5, 1.5, most)
            amplitude = rng.uniform("amplitude", 0.7, 1.0, most)
            edge = torch.full_like(size, 4.5)  # 5 x 5 pixels, sigma 1.8
        else:
            thickness = 0.3 * size / 25
            beta = 0.5 + (size / 25 if self.variant == "offline" else (size / 25).floor())
            amplitude = 14 / 25 + 1 - size / 25
            sigma = 2 * (5 + 20 * size / 25)
            least, widest = (sigma / 5).floor(), (sigma / 4).floor()
            share = rng.uniform("edge", 0.0, 1.0, most)
            edge = odd((least + share * (widest - least + 1)).clamp(max=widest))
        strength = amplitude * (1 - torch.exp(-beta * thickness))
        strength = torch.where(torch.arange(most) < count[:, None], strength, 0.0)
        numbers = (centre_x, centre_y, (size / 2).floor(), edge, strength)
        return dict(zip(self.parameters, numbers, strict=True))

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Add spots to photographs."""
        height, width = frame.size
        scale_y, scale_x = height / REFERENCE_SIDE, width / REFERENCE_SIDE
        light = soft_discs(
            frame.size,
            (values["x"] + 0.5) * scale_x,
            (values["y"] + 0.5) * scale_y,
            values["radius"] * scale_x,
            values["edge"] * scale_x,
            values["strength"],
            WIDEST * scale_x,
        )
        return image.add_(light).clamp_(0.0, 1.0)
