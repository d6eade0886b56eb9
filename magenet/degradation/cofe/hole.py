"""Hole: a soft dark disc."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from magenet.degradation.cofe.variant import Variant
from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import REFERENCE_SIDE, blurred, disc, enlarge, odd
from magenet.degradation.frame import Frame


class Hole(Factor):
    """Blurred disc subtracted from all channels.

    The released script does not change photographs whose mean inside the field is at most 0.25,
    and subtracts a little more from brighter ones: depth = base + share * mean.

    Args:
        variant: `online` draws smaller and shallower discs with harder edges anywhere, on every
            photograph.
    """

    parameters: ClassVar = {
        "centre_x": Parameter("column of the centre, pixels of 512", -512, 1024),
        "centre_y": Parameter("row of the centre, pixels of 512", -512, 1024),
        "diameter": Parameter("diameter of the disc, pixels of 512", 0, 2048),
        "kernel_x": Parameter("kernel size of the blur along rows, odd, pixels of 512", 1, 1023),
        "kernel_y": Parameter("kernel size of the blur along columns, odd, pixels of 512", 1, 1023),
        "sigma": Parameter("sigma of the blur, pixels of 512", 0.1, 2048),
        "base": Parameter("depth at mean brightness 0", 0, 1),
        "share": Parameter("depth added per unit of mean brightness of the field", 0, 1),
        "least_mean": Parameter("mean brightness of the field up to which nothing changes", 0, 1),
    }

    def __init__(self, variant: Variant = "offline") -> None:
        self.online = variant == "online"

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw centre, diameter, kernel sizes and sigma in reference pixels, and the depth."""
        side = float(REFERENCE_SIDE)
        if self.online:
            diameter = rng.integer("diameter", round(0.3 * side), round(0.5 * side))
            centre_x = rng.integer("centre_x", 0, round(side))
            centre_y = rng.integer("centre_y", 0, round(side))
            base, share = rng.uniform("base", 0.05, 0.25), torch.zeros(len(rng))
            kernel_x = rng.uniform("kernel_x", diameter / 4, diameter / 3).floor()
            kernel_y = rng.uniform("kernel_y", diameter / 4, diameter / 3).floor()
            sigma = rng.uniform("sigma", diameter / 4, diameter / 3)
        else:
            diameter = rng.integer("diameter", round(0.4 * side), round(0.7 * side))
            centre_x = rng.integer("centre_x", round(side / 4), round(side * 3 / 4))
            centre_y = rng.integer("centre_y", round(side * 3 / 8), round(side * 5 / 8))
            base, share = rng.uniform("base", 0.26, 0.262), rng.uniform("share", 0.05, 0.06)
            kernel_x = rng.uniform("kernel_x", 0.55 * diameter, 0.75 * diameter).floor()
            kernel_y = rng.uniform("kernel_y", 0.55 * diameter, 0.75 * diameter).floor()
            sigma = 2 / 3 * 1.2 * torch.maximum(kernel_x, kernel_y)  # before they are made odd
        least_mean = torch.full_like(base, 0.0 if self.online else 0.25)
        numbers = (
            centre_x, centre_y, diameter, odd(kernel_x), odd(kernel_y), sigma,
            base, share, least_mean,
        )  # fmt: skip
        return dict(zip(self.parameters, numbers, strict=True))

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Subtract the disc from photographs."""
        mean = image.sum(dim=(1, 2, 3)) / (3 * frame.mask.sum(dim=(1, 2, 3)))
        depth = values["base"] + values["share"] * mean
        depth = torch.where(mean > values["least_mean"], depth, 0.0)
        field = disc(values["centre_x"], values["centre_y"], values["diameter"])
        field = blurred(field, values["kernel_x"], values["kernel_y"], values["sigma"])
        return image.sub_(enlarge(field * depth[:, None, None], *frame.size)).clamp_(0.0, 1.0)
