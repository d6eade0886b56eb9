"""Blur: mild, and in a kernel of 1 to 7 pixels whatever its sigma."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from magenet.degradation.cofe.variant import Variant
from magenet.degradation.draws import Draws
from magenet.degradation.factor import Factor, Values
from magenet.degradation.fields import REFERENCE_SIDE, odd, truncated_gaussian
from magenet.degradation.frame import Frame

WIDEST = 7
"""Widest kernel, in reference pixels."""


class Blur(Factor):
    """Blur by a Gaussian cut off far inside its sigma: nearly by a small box.

    A share of the draws hardly changes anything: a quirk of the released script, kept. Away from
    the reference size the kernel scales with the photograph.

    Args:
        variant: Sigma is drawn from 5 to 15; `online` from 0 to 15.
    """

    names: ClassVar = ("sigma", "kernel_x", "kernel_y")

    def __init__(self, variant: Variant = "offline") -> None:
        self.least = 0.0 if variant == "online" else 5.0

    def draw(self, draws: Draws, severity: Tensor) -> Values:
        """Return sigma and the odd kernel sizes in reference pixels."""
        sigma = draws.uniform("sigma", self.least, 15.0)
        low, high = (sigma / 3).floor(), (sigma / 2).floor()
        sizes = [odd(draws.integer(name, low, high)) for name in ("kernel_x", "kernel_y")]
        return dict(zip(self.names, (sigma.clamp(min=1e-3), *sizes), strict=True))

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Return blurred photographs, mirrored at the frame's border as OpenCV does."""
        for axis, name in ((2, "kernel_y"), (3, "kernel_x")):
            length = image.shape[axis]
            cell = REFERENCE_SIDE / length
            reach = max(1, math.ceil((WIDEST - 1) / 2 / cell))
            offsets = torch.arange(-reach, reach + 1, device=image.device).float()
            weights = truncated_gaussian(values[name], values["sigma"], offsets, cell)
            weights = (weights / weights.sum(dim=1, keepdim=True))[:, :, None, None, None]
            padding = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
            padded = functional.pad(image, padding, mode="reflect")
            # Shifted and added, since the weights differ between photographs: for these few taps
            # that measures faster than grouped convolution, banded matrices and the FFT.
            image = padded.narrow(axis, 0, length) * weights[:, 0]
            for tap in range(1, len(offsets)):
                image.addcmul_(padded.narrow(axis, tap, length), weights[:, tap])
        return image.clamp_(0.0, 1.0)
