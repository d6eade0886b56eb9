"""Halo: a bright ring at the edge of the field."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from magenet.degradation.cofe.variant import Variant
from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import REFERENCE_SIDE, blurred, disc, enlarge, odd
from magenet.degradation.frame import Frame

OFFLINE_COLOURS = ((141, 238, 238), (177, 195, 147))
"""RGB in [0, 255]: the two colours that the released script can draw. Its third, (251, 249, 246),
needs a brightness factor below 0.2, which is never drawn."""

ONLINE_COLOURS = ((255, 255, 255), (141, 238, 238), (162, 205, 90))


class Halo(Factor):
    """Light added outside an inner disc, blurred, in proportion to the mean brightness.

    The mean is that of all three channels over the whole frame, black surround included. The
    outer disc covers the field: the script intends to scale it by a random factor, but the
    published parameters show none (as an integer division would give), so there is none here.

    Args:
        variant: `online` blurs by a sigma of 28 to 85 pixels whatever the disc, and may draw white.
    """

    parameters: ClassVar = {
        "centre_x": Parameter("column of the centre, pixels of 512", -512, 1024),
        "centre_y": Parameter("row of the centre, pixels of 512", -512, 1024),
        "inner": Parameter("diameter of the inner disc, pixels of 512", 0, 2048),
        "outer": Parameter("diameter of the outer disc, pixels of 512", 0, 2048),
        "kernel": Parameter("kernel size of the blur, odd, pixels of 512", 1, 1023),
        "sigma": Parameter("sigma of the blur, pixels of 512", 0.1, 2048),
        "red": Parameter("fraction of the mean brightness that is added, red", 0, 1),
        "green": Parameter("fraction of the mean brightness that is added, green", 0, 1),
        "blue": Parameter("fraction of the mean brightness that is added, blue", 0, 1),
    }

    def __init__(self, variant: Variant = "offline") -> None:
        self.online = variant == "online"

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw centre, diameters, kernel size and sigma in reference pixels, and the colour."""
        side = float(REFERENCE_SIDE)
        centre_x = rng.integer("centre_x", round(side * 3 / 8), round(side * 5 / 8))
        centre_y = rng.integer("centre_y", round(side * 3 / 8), round(side * 5 / 8))
        inner = side * rng.uniform("inner", 0.75, 1.0)
        far_x = torch.maximum(centre_x, side - centre_x)
        far_y = torch.maximum(centre_y, side - centre_y)
        outer = side + torch.maximum(centre_x, centre_y)
        if self.online:
            sigma = rng.integer("sigma", round(side / 6), round(side / 2)) / 3
            kernel = 1.5 * sigma
        else:
            kernel = (2 * torch.maximum(far_x, far_y) - inner).abs()
            sigma = (2 * kernel / 3).clamp(min=1.0)  # before the kernel is made odd
        colours = torch.tensor(ONLINE_COLOURS if self.online else OFFLINE_COLOURS) / 255
        colour = colours[rng.integer("colour", 0, len(colours) - 1).long()]
        numbers = (centre_x, centre_y, inner, outer, odd(kernel), sigma, *colour.unbind(1))
        return dict(zip(self.parameters, numbers, strict=True))

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Add the ring to photographs."""
        outer = disc(values["centre_x"], values["centre_y"], values["outer"])
        ring = outer - disc(values["centre_x"], values["centre_y"], values["inner"])
        field = blurred(ring.clamp_(min=0.0), values["kernel"], values["kernel"], values["sigma"])
        colour = torch.stack([values["red"], values["green"], values["blue"]], dim=1)
        light = image.mean(dim=(1, 2, 3))[:, None] * colour
        return image.addcmul_(enlarge(field, *frame.size), light[:, :, None, None]).clamp_(0.0, 1.0)
