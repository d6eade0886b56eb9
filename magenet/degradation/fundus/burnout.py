"""Burnout: the optic disc, or the brightest place there is, overexposed until nothing is left."""

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

SMOOTHING = 0.015
"""Sigma of the smoothing before the brightest place is looked for, field diameters (our choice)."""


GLARE = 0.4
"""Probability that it is a place other than the brightest: a reflex of the lens or of the retina
(our choice)."""


class Burnout(Factor):
    """Gain of linear light around the brightest place or, as glare, another, cut off hard.

    Unlike in :class:`Exposure`, which has a soft shoulder, places end up clipped in all channels
    and hold no information. At severity 1 the gain in the middle is 4 to 30.
    """

    parameters: ClassVar = {
        "gain": Parameter("gain of linear light in the middle", 1, 64),
        "x": Parameter("middle, field diameters right of the brightest place", -1, 1),
        "y": Parameter("middle, field diameters below the brightest place", -1, 1),
        "radius": Parameter("sigma of the gain around the middle, field diameters", 0.01, 1),
        "paleness": Parameter("fraction of grey in the light there, before the gain", 0, 1),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw the gain, and its sigma in field diameters."""
        most = rng.uniform("gain", math.log(4.0), math.log(30.0))
        distance = rng.uniform("distance", 0.1, 0.6)
        distance = torch.where(rng.uniform("glare", 0.0, 1.0) < GLARE, distance, 0.0)
        direction = rng.uniform("direction", 0.0, 2 * math.pi)
        return {
            "gain": torch.exp(most * severity),
            "x": distance * direction.cos(),
            "y": distance * direction.sin(),
            "radius": rng.uniform("radius", 0.04, 0.12),
            "paleness": rng.uniform("paleness", 0.1, 0.8) * severity,
        }

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Burn out the brightest place of photographs."""
        light = image.square_()
        middle = [
            brightest + values[name]
            for name, brightest in zip("xy", brightest_place(light[:, 1:2], frame), strict=True)
        ]
        distance = frame.distance(GRID, middle[0], middle[1])
        bump = torch.exp(-0.5 * (distance / values["radius"][:, None, None]).square())
        gain = 1 + (values["gain"] - 1)[:, None, None] * bump
        pale = values["paleness"][:, None, None] * bump
        fields = enlarge(torch.stack([gain, pale], dim=1), *frame.size)
        # A sensor whose blue is dark sees the disc burn out to white all the same.
        light = torch.lerp(light, rgb_to_grayscale(light), fields[:, 1:])
        return from_linear(light.mul_(fields[:, :1]))


def brightest_place(light: Tensor, frame: Frame) -> tuple[Tensor, Tensor]:
    """Return the place where smoothed light is brightest, x and y `(B,)` field diameters.

    It is looked for on a grid over the field, not over the frame, so that it does not move with
    what is around the field.

    Args:
        light: `(B, 1, H, W)`.
        frame: Frame of the same photographs.
    """
    axis = (torch.arange(GRID, device=light.device) + 0.5) / GRID - 0.5
    height, width = frame.size
    diameter = frame.diameter[:, None]
    columns = (frame.centre_x[:, None] + axis * diameter) * (2 / width) - 1
    rows = (frame.centre_y[:, None] + axis * diameter) * (2 / height) - 1
    size = (len(light), GRID, GRID)
    grid = torch.stack([columns[:, None].expand(size), rows[:, :, None].expand(size)], dim=-1)
    seen = torch.cat([light * frame.mask, frame.mask], dim=1)
    sampled = functional.grid_sample(seen, grid, align_corners=False)
    sigma = torch.full_like(frame.diameter, SMOOTHING * GRID)
    sampled = smoothed(sampled, sigma, sigma)
    mean = sampled[:, 0] / sampled[:, 1].clamp(min=1e-3) * (sampled[:, 1] > 0.5)
    cell = mean.flatten(1).argmax(dim=1)
    return axis[cell % GRID], axis[cell // GRID]
