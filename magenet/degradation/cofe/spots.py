"""Spots: the soft bright discs of dust on the optics."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from magenet.degradation.cofe.variant import Variant
from magenet.degradation.draws import Draws
from magenet.degradation.factor import Factor, Values
from magenet.degradation.fields import REFERENCE_SIDE, soft_discs
from magenet.degradation.frame import Frame

WIDEST = 37.0
"""Greatest diameter of a spot with its soft edge, in reference pixels: 2 x 12 + 12, and one."""


class Spots(Factor):
    """Add discs of light to all channels.

    Each is blurred by a kernel far smaller than its sigma, that is by a box: its edge is a ramp
    as wide as the kernel, which is drawn directly. Deviation: the scripts blur along both axes
    by kernels of slightly different size; here the edge is the same all round.

    Args:
        variant: `offline` draws 5 to 10; `online` 5 to 20 larger ones with a random strength and
            a fixed edge; `published` 15 to 23, fainter but for the largest, since an integer
            division made beta 0.5 for all others.
    """

    names: ClassVar = ("x", "y", "radius", "edge", "strength")

    def __init__(self, variant: Variant = "offline") -> None:
        self.variant = variant
        self.fewest, self.most = {"offline": (5, 10), "online": (5, 20), "published": (15, 23)}[
            variant
        ]

    def draw(self, draws: Draws, severity: Tensor) -> Values:
        """Return centres, radii and edges in reference pixels, and the light added."""
        most = self.most
        count = draws.integer("count", self.fewest, most)
        smallest = 14 if self.variant == "online" else 6
        size = draws.integer("size", smallest, 25, most)  # "radius" in the script
        room = REFERENCE_SIDE - 2 * size - 2
        centre_x = size + 1 + draws.uniform("x", 0.0, 1.0, most) * room
        centre_y = size + 1 + draws.uniform("y", 0.0, 1.0, most) * room
        if self.variant == "online":
            thickness = draws.uniform("thickness", 0.0, 0.3, most)
            beta = draws.uniform("beta", 0.5, 1.5, most)
            amplitude = draws.uniform("amplitude", 0.7, 1.0, most)
            edge = torch.full_like(size, 5.0)
        else:
            thickness = 0.3 * size / 25
            beta = 0.5 + (size / 25 if self.variant == "offline" else (size / 25).floor())
            amplitude = 14 / 25 + 1 - size / 25
            sigma = 2 * (5 + 20 * size / 25)
            least, widest = (sigma / 5).floor(), (sigma / 4).floor()
            edge = least + draws.uniform("edge", 0.0, 1.0, most) * (widest - least)
        strength = amplitude * (1 - torch.exp(-beta * thickness))
        strength = torch.where(torch.arange(most) < count[:, None], strength, 0.0)
        numbers = (centre_x, centre_y, (size / 2).floor(), edge, strength)
        return dict(zip(self.names, numbers, strict=True))

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Return photographs with the spots."""
        height, width = frame.size
        down, across = height / REFERENCE_SIDE, width / REFERENCE_SIDE
        light = soft_discs(
            frame.size,
            (values["x"] + 0.5) * across,
            (values["y"] + 0.5) * down,
            values["radius"] * across,
            values["edge"] * across,
            values["strength"],
            WIDEST * across,
        )
        return image.add_(light).clamp_(0.0, 1.0)
