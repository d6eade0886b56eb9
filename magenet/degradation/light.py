"""Linear light and the tone curve."""

from __future__ import annotations

from torch import Tensor


def brightened(light: Tensor, gain: Tensor) -> Tensor:
    """Multiply linear light by a gain, in place; gains above 1 saturate by a soft shoulder.

    For gains above 1, 0 and 1 are fixed points, so that nothing clips to a flat colour.

    Args:
        light: `(B, 3, H, W)` in [0, 1].
        gain: Above 0, broadcastable to `light`.
    """
    shoulder = (light * (gain - 1).clamp(min=0.0)).add_(1)
    return light.mul_(gain).div_(shoulder)


def from_linear(light: Tensor) -> Tensor:
    """Convert linear light in [0, 1] to pixel values, in place.

    The cameras' tone curves are unknown; a square root (gamma 2) stands for all of them (our
    choice: sRGB differs from it by at most 0.04 and costs five times as much). The inverse is the
    square, and a gain g of linear light is a gain of sqrt(g) of pixel values.
    """
    return light.clamp_(0.0, 1.0).sqrt_()
