"""Laplacian pyramid of a photograph, and the contrast of each of its bands, place by place."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

BINOMIAL = (1 / 8, 3 / 8, 3 / 8, 1 / 8)
"""An even number of taps: a reduced pixel lies in the middle of the two by two that it stands for,
where bilinear enlargement takes it to be. With Burt and Adelson's five it is half a pixel off, and
every slope of light has a band."""

WHITE_NOISE = (1.0, 0.284, 0.125, 0.0604, 0.0301)
"""Standard deviation of white noise in each band over that in the finest one (measured)."""

GREEN = slice(1, 2)
"""The channel in which vessels have the most contrast, as a slice of channels."""

CONTRAST_STRIDE = 16
"""Pixels of the photograph per pixel of a contrast map, along one axis."""

NEIGHBOURHOOD = 5
"""Pixels of a contrast map, along one axis, over which contrast is averaged: 80 px of the
photograph, wider than any vessel (our choice)."""


def reduced(image: Tensor) -> Tensor:
    """Return images `(B, C, H, W)` blurred and reduced by 2, sides rounded up."""
    taps = image.new_tensor(BINOMIAL)
    kernel = (taps[:, None] * taps)[None, None]
    padded = functional.pad(image, (1, 2, 1, 2), mode="replicate")
    # Channels as images of one channel: a quarter of the time of a convolution in groups.
    single = padded.flatten(0, 1)[:, None]
    with torch.autocast(image.device.type, enabled=False):  # a band is a small difference
        coarse = functional.conv2d(single, kernel, stride=2)
    return coarse.view(*image.shape[:2], *coarse.shape[-2:])


def enlarged(image: Tensor, size: Sequence[int]) -> Tensor:
    """Return images `(B, C, h, w)` enlarged bilinearly to a height and width."""
    return functional.interpolate(image, list(size), mode="bilinear")


def bands(image: Tensor, levels: int) -> list[Tensor]:
    """Return a Laplacian pyramid: `levels` bands, finest first, and what is left.

    Args:
        image: `(B, C, H, W)`, sides at least 2 to the power of `levels`.
        levels: Number of bands; band l holds details of about 2^l to 2^(l+1) pixels.

    References:
        Burt and Adelson, "The Laplacian pyramid as a compact image code", IEEE Trans. Comm. 1983.
    """
    pyramid = []
    for _ in range(levels):
        coarse = reduced(image)
        pyramid.append(image - enlarged(coarse, image.shape[-2:]))
        image = coarse
    return [*pyramid, image]


def collapsed(pyramid: Sequence[Tensor]) -> Tensor:
    """Return the image of a Laplacian pyramid, `(B, C, H, W)`; the inverse of :func:`bands`."""
    *fine, image = pyramid
    for band in reversed(fine):
        image = band + enlarged(image, band.shape[-2:])
    return image


def band_contrast(image: Tensor, levels: int) -> Tensor:
    """Return the root mean square of each band of green, place by place.

    From the bands' ratios a network can tell how blurred a photograph is, and from the finest one
    how noisy.

    Args:
        image: Photographs, `(B, 3, H, W)` in [0, 1].
        levels: Number of bands, at most five.

    Returns:
        `(B, levels, H / 16, W / 16)`, rounded up, finest band first.
    """
    power = [
        functional.avg_pool2d(band.square(), CONTRAST_STRIDE // 2**level, ceil_mode=True)
        for level, band in enumerate(bands(image[:, GREEN], levels)[:-1])
    ]
    return functional.avg_pool2d(
        torch.cat(power, dim=1), NEIGHBOURHOOD, 1, NEIGHBOURHOOD // 2, count_include_pad=False
    ).sqrt()


def above_noise(contrast: Tensor) -> Tensor:
    """Return the share of each band's power that is not noise, like `contrast`, in [0, 1].

    What the finest band holds is taken for white noise, which it mostly is in a photograph of an
    eye; in the other bands it leaves what such noise would not explain. The finest band's own share
    is not known, and 1.

    Args:
        contrast: See :func:`band_contrast`; at most five bands.
    """
    ratio = contrast.new_tensor(WHITE_NOISE[: contrast.shape[1]])[:, None, None]
    ratio[0] = 0.0
    noise = contrast[:, :1] * ratio
    return (1.0 - (noise / contrast.clamp(min=1e-6)).square()).clamp(min=0.0)
