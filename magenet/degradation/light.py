"""Linear light and its tone curve."""

from __future__ import annotations

from torch import Tensor


def brightened(light: Tensor, gain: Tensor) -> Tensor:
    """Return linear light times a gain, working in place; above 1 with a soft shoulder.

    Black and white stay where they are, so that nothing clips to a flat colour.

    Args:
        light: `(B, 3, H, W)` in [0, 1].
        gain: Above 0, of a shape that fits.
    """
    shoulder = (light * (gain - 1).clamp(min=0.0)).add_(1)
    return light.mul_(gain).div_(shoulder)


def from_linear(light: Tensor) -> Tensor:
    """Return what a camera shows for linear light in [0, 1], working in place.

    Cameras' tone curves are not known; a square root (gamma 2) stands for all of them (our
    choice: sRGB differs from it by at most 0.04, and it costs a fifth). The way back is a square,
    and a gain g of the light is a gain of sqrt(g) of what is shown.
    """
    return light.clamp_(0.0, 1.0).sqrt_()
