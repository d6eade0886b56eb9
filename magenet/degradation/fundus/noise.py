"""Noise: of the light itself (shot) and of the sensor (read)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG, mix
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import per_sample
from magenet.degradation.frame import Frame
from magenet.degradation.light import from_linear

REFERENCE_DIAMETER = 512
"""Field diameter in pixels at which `shot` and `read` hold: averaging pixels averages noise."""


class Noise(Factor):
    """Add Gaussian noise to linear light, independent between pixels and channels.

    Its variance is shot * light + read squared, for pixels of a field that is 512 wide; smaller
    pixels have more. Each pixel's noise is a hash of the sample's seed and the pixel's number.
    Severity 1 has a standard deviation of 0.7 to 3 % of the shown range at medium brightness.
    """

    parameters: ClassVar = {
        "shot": Parameter("variance of linear light per linear light", 0, 0.1),
        "read": Parameter("standard deviation of linear light in the dark", 0, 0.3),
        "seed": Parameter("of the pixels", 0, (1 << 32) - 1, whole=True),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Return the two strengths and the seed of the pixels."""
        return {
            "shot": rng.uniform("shot", 0.0002, 0.003) * severity.square(),
            "read": rng.uniform("read", 0.001, 0.008) * severity,
            "seed": rng.bits("pixels"),
        }

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Return noisy photographs."""
        light = image.square_()
        smaller = per_sample(frame.diameter / REFERENCE_DIAMETER)
        variance = light * per_sample(values["shot"]) + per_sample(values["read"]).square()
        sigma = variance.sqrt_().mul_(smaller)
        return from_linear(light.addcmul_(sigma, normal(values["seed"], light)))


def normal(seed: Tensor, like: Tensor) -> Tensor:
    """Return independent normal numbers, from a hash of seed and place (Box-Muller).

    Args:
        seed: int64 `(B,)`.
        like: Their shape, `(B, C, H, W)`.
    """
    count = like[0].numel()
    pairs = torch.arange((count + 1) // 2, device=like.device)
    bits = mix(pairs + (seed[:, None] << 31))
    radius = ((bits & 0xFFFFFF) + 1).float().mul_(1 / (1 << 24)).log_().mul_(-2).sqrt_()
    angle = ((bits >> 24) & 0xFFFFFF).float().mul_(2 * math.pi / (1 << 24))
    both = torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)
    return both[:, :count].view_as(like)
