"""Blur: mild, and in a kernel of 1 to 7 pixels whatever its sigma."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from magenet.degradation.cofe.variant import Variant
from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import REFERENCE_SIDE, odd, truncated_gaussian
from magenet.degradation.frame import Frame

WIDEST = 7
"""Widest kernel, in reference pixels."""


class Blur(Factor):
    """Blur by a Gaussian cut off far inside its sigma: nearly by a small box.

    A share of the draws hardly changes anything: a quirk of the released script, kept. Away from
    the reference size a box of the same variance, scaled with the photograph, takes its place.

    Args:
        variant: Sigma is drawn from 5 to 15; `online` from 0 to 15.
    """

    parameters: ClassVar = {
        "sigma": Parameter("of the Gaussian, pixels of 512", 0.001, 100),
        "kernel_x": Parameter("size along rows, odd, pixels of 512", 1, 7),
        "kernel_y": Parameter("size along columns, odd, pixels of 512", 1, 7),
    }

    def __init__(self, variant: Variant = "offline") -> None:
        self.least = 0.0 if variant == "online" else 5.0

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Return sigma and the odd kernel sizes in reference pixels."""
        sigma = rng.uniform("sigma", self.least, 15.0)
        low, high = (sigma / 3).floor(), (sigma / 2).floor()
        sizes = [odd(rng.integer(name, low, high)) for name in ("kernel_x", "kernel_y")]
        return dict(zip(self.parameters, (sigma.clamp(min=1e-3), *sizes), strict=True))

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Return blurred photographs, mirrored at the frame's border as OpenCV does."""
        for axis, name in ((2, "kernel_y"), (3, "kernel_x")):
            offsets = torch.arange(-(WIDEST // 2), WIDEST // 2 + 1, device=image.device)
            weights = truncated_gaussian(values[name], values["sigma"], offsets, 1.0)
            weights = weights / weights.sum(dim=1, keepdim=True)
            variance = (weights * offsets.square()).sum(dim=1)
            enlarged = image.shape[axis] / REFERENCE_SIDE
            if enlarged < 1:
                image = _in_frequency(image, axis, variance.sqrt())
            elif enlarged > 1:
                image = _shifted_and_added(image, axis, _box(variance * enlarged**2, enlarged))
            else:
                image = _shifted_and_added(image, axis, weights)
        return image.clamp_(0.0, 1.0)


def _box(variance: Tensor, enlarged: float) -> Tensor:
    """Return boxes of a given variance, `(B,)` pixels squared, as taps `(B, n)`.

    k whole taps, an odd number, have the variance (k^2 - 1) / 12; a share of one more on either
    side makes up the rest.
    """
    reach = math.ceil(enlarged * WIDEST / 2) + 1
    distance = torch.arange(-reach, reach + 1, device=variance.device).abs()
    whole = 2 * (((12 * variance + 1).sqrt() - 1) / 2 + 1e-4).floor() + 1
    share = whole * (variance - (whole.square() - 1) / 12)
    share = share / ((whole + 1).square() / 2 - 2 * variance)
    half = whole[:, None] / 2
    taps = torch.where(distance < half, 1.0, torch.where(distance < half + 1, share[:, None], 0.0))
    return taps / taps.sum(dim=1, keepdim=True)


def _shifted_and_added(image: Tensor, axis: int, weights: Tensor) -> Tensor:
    """Return photographs blurred by a few taps, `(B, n)`, along one axis.

    The weights differ between photographs: up to some 15 taps, that is up to 1024 px, shifting and
    adding measures faster than grouped convolution, banded matrices and the Fourier transform.
    """
    reach = weights.shape[1] // 2
    weights = weights[:, :, None, None, None]
    padding = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
    padded = functional.pad(image, padding, mode="reflect")
    length = image.shape[axis]
    image = padded.narrow(axis, 0, length) * weights[:, 0]
    for tap in range(1, weights.shape[1]):
        image.addcmul_(padded.narrow(axis, tap, length), weights[:, tap])
    return image


def _in_frequency(image: Tensor, axis: int, deviation: Tensor) -> Tensor:
    """Return photographs blurred by a box along one axis, also one narrower than a pixel.

    Args:
        image: `(B, 3, H, W)`.
        axis: 2 or 3.
        deviation: The box's standard deviation, `(B,)` reference pixels; it is that times the
            square root of 12 wide.
    """
    length = image.shape[axis]
    reach = math.ceil(length * WIDEST / REFERENCE_SIDE)
    padding = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
    padded = functional.pad(image, padding, mode="reflect")
    count = padded.shape[axis]
    frequency = torch.fft.rfftfreq(count, device=image.device) * (length / REFERENCE_SIDE)
    transfer = torch.sinc(deviation[:, None] * math.sqrt(12) * frequency)
    transfer = transfer[:, None, :, None] if axis == 2 else transfer[:, None, None, :]
    spectrum = torch.fft.rfft(padded, dim=axis) * transfer
    blurred: Tensor = torch.fft.irfft(spectrum, n=count, dim=axis)
    return blurred.narrow(axis, reach, length)
