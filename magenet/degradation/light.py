"""Light and its tone curve: what several factors need to know of it."""

from __future__ import annotations

from torch import Tensor

RED, GREEN, BLUE = 0.299, 0.587, 0.114
"""Weights of luminance (ITU-R BT.601), as Pillow and OpenCV use them."""


def luminance(image: Tensor) -> Tensor:
    """Return the grey of photographs `(B, 3, H, W)` as `(B, 1, H, W)`, in new memory."""
    red, green, blue = image[:, 0:1], image[:, 1:2], image[:, 2:3]
    return (red * RED).add_(green, alpha=GREEN).add_(blue, alpha=BLUE)


def from_linear(light: Tensor) -> Tensor:
    """Return what a camera shows for linear light in [0, 1], working in place.

    Cameras' tone curves are not known; a square root (gamma 2) stands for all of them (our
    choice: sRGB differs from it by at most 0.03, and it costs a fifth). The way back is a square,
    and a gain g of the light is a gain of sqrt(g) of what is shown.
    """
    return light.clamp_(0.0, 1.0).sqrt_()
