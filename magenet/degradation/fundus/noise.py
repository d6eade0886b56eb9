"""Noise: shot noise of the light and read noise of the sensor."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG, splitmix64
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import per_sample
from magenet.degradation.frame import Frame
from magenet.degradation.light import from_linear

REFERENCE_DIAMETER = 512
"""Field diameter in pixels at which `shot` and `read` apply: averaging pixels averages noise."""


class Noise(Factor):
    """Gaussian noise of linear light, independent between pixels and channels.

    Its variance is shot * light + read^2 at a field diameter of 512 px; smaller pixels have more.
    The noise of a pixel is a hash of the sample's seed and the pixel's index. At severity 1 its
    standard deviation is 0.7 to 3 % of the range of pixel values at medium brightness.
    """

    parameters: ClassVar = {
        "shot": Parameter("variance of linear light per unit of linear light", 0, 0.1),
        "read": Parameter("standard deviation of linear light in the dark", 0, 0.3),
        "seed": Parameter("seed of the pixels' noise", 0, (1 << 32) - 1, whole=True),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw the two strengths and the seed of the pixels' noise."""
        return {
            "shot": rng.uniform("shot", 0.0002, 0.003) * severity.square(),
            "read": rng.uniform("read", 0.001, 0.008) * severity,
            "seed": rng.bits("pixels"),
        }

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Add noise to photographs."""
        light = image.square_()
        scale = per_sample(frame.diameter / REFERENCE_DIAMETER)
        variance = light * per_sample(values["shot"]) + per_sample(values["read"]).square()
        sigma = variance.sqrt_().mul_(scale)
        return from_linear(light.addcmul_(sigma, normal(values["seed"], light)))


def normal(seed: Tensor, like: Tensor) -> Tensor:
    """Return independent standard normal numbers, hashed from seed and index (Box-Muller).

    Args:
        seed: int64 `(B,)`.
        like: Tensor of the shape wanted, `(B, C, H, W)`.
    """
    count = like[0].numel()
    pairs = torch.arange((count + 1) // 2, device=like.device)
    bits = splitmix64(pairs + (seed[:, None] << 31))
    radius = ((bits & 0xFFFFFF) + 1).float().mul_(1 / (1 << 24)).log_().mul_(-2).sqrt_()
    angle = ((bits >> 24) & 0xFFFFFF).float().mul_(2 * math.pi / (1 << 24))
    both = torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)
    return both[:, :count].view_as(like)
