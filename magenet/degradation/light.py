"""Linear light and its tone curve."""

from __future__ import annotations

from torch import Tensor


def from_linear(light: Tensor) -> Tensor:
    """Return what a camera shows for linear light in [0, 1], working in place.

    Cameras' tone curves are not known; a square root (gamma 2) stands for all of them (our
    choice: sRGB differs from it by at most 0.04, and it costs a fifth). The way back is a square,
    and a gain g of the light is a gain of sqrt(g) of what is shown.
    """
    return light.clamp_(0.0, 1.0).sqrt_()
