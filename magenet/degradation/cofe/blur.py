"""Blur: mild, with a kernel of 1 to 7 pixels whatever its sigma."""

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
"""Largest kernel size, in reference pixels."""


class Blur(Factor):
    """Gaussian blur truncated far inside its sigma, which is nearly a small box blur.

    Some draws hardly change anything: a quirk of the released script, kept. At sizes other than
    512 px the kernel is replaced by a box of the same variance, scaled with the photograph.

    Args:
        variant: Sigma is drawn from 5 to 15 pixels of 512, in `online` from 0 to 15.
    """

    parameters: ClassVar = {
        "sigma": Parameter("sigma of the Gaussian, pixels of 512", 0.001, 100),
        "kernel_x": Parameter("kernel size along rows, odd, pixels of 512", 1, 7),
        "kernel_y": Parameter("kernel size along columns, odd, pixels of 512", 1, 7),
    }

    def __init__(self, variant: Variant = "offline") -> None:
        self.least = 0.0 if variant == "online" else 5.0

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw sigma and the odd kernel sizes, in reference pixels."""
        sigma = rng.uniform("sigma", self.least, 15.0)
        low, high = (sigma / 3).floor(), (sigma / 2).floor()
        sizes = [odd(rng.integer(name, low, high)) for name in ("kernel_x", "kernel_y")]
        return dict(zip(self.parameters, (sigma.clamp(min=1e-3), *sizes), strict=True))

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Blur photographs, mirrored at the frame's border as in OpenCV."""
        for axis, name in ((2, "kernel_y"), (3, "kernel_x")):
            offsets = torch.arange(-(WIDEST // 2), WIDEST // 2 + 1, device=image.device)
            weights = truncated_gaussian(values[name], values["sigma"], offsets, 1.0)
            weights = weights / weights.sum(dim=1, keepdim=True)
            variance = (weights * offsets.square()).sum(dim=1)
            scale = image.shape[axis] / REFERENCE_SIDE
            if scale < 1:
                image = _blur_in_frequency(image, axis, variance.sqrt())
            elif scale > 1:
                image = _blur_by_shifts(image, axis, _box(variance * scale**2, scale))
            else:
                image = _blur_by_shifts(image, axis, weights)
        return image.clamp_(0.0, 1.0)


def _box(variance: Tensor, scale: float) -> Tensor:
    """Return box kernels of a given variance, `(B,)` pixels squared, as taps `(B, n)`.

    An odd number k of equal taps has the variance (k^2 - 1) / 12; one smaller tap on either side
    makes up the difference.
    """
    reach = math.ceil(scale * WIDEST / 2) + 1
    distance = torch.arange(-reach, reach + 1, device=variance.device).abs()
    count = 2 * (((12 * variance + 1).sqrt() - 1) / 2 + 1e-4).floor() + 1
    end = count * (variance - (count.square() - 1) / 12)
    end = end / ((count + 1).square() / 2 - 2 * variance)
    radius = count[:, None] / 2
    taps = torch.where(distance < radius, 1.0, torch.where(distance < radius + 1, end[:, None], 0))
    return taps / taps.sum(dim=1, keepdim=True)


def _blur_by_shifts(image: Tensor, axis: int, weights: Tensor) -> Tensor:
    """Blur photographs by a few taps, `(B, n)`, along one axis.

    The weights differ between photographs: for up to about 15 taps, that is up to 1024 px, adding
    shifted copies is faster than grouped convolution, banded matrices and the Fourier transform.
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


def _blur_in_frequency(image: Tensor, axis: int, deviation: Tensor) -> Tensor:
    """Blur photographs by a box along one axis, which may be narrower than a pixel.

    Args:
        image: `(B, 3, H, W)`.
        axis: 2 or 3.
        deviation: Standard deviation of the box, `(B,)` reference pixels; its width is sqrt(12)
            times that.
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
