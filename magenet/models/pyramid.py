"""Laplacian pyramid of a photograph, and the contrast of each of its bands, place by place."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

HALF_BAND = (-0.013, -0.0385, 0.1125, 0.439, 0.439, 0.1125, -0.0385, -0.013)
"""Taps of the low-pass filter: a sinc of half the bandwidth under a Kaiser window, beta 3, with two
taps moved by 0.0065 so that a slope of light has no band.

It is steep, so that a band holds hardly anything of the next wider one: after a blur of 4 px the
contrast of periods of 8 to 16 px is a sixth, and that of their band a fifth. Of Burt and Adelson's
five taps, or of (1, 3, 3, 1) with bilinear enlargement, it is a half, nearly all of it of longer
periods, and no gain of the band brings the shorter ones back. The number of taps is even: a reduced
pixel lies in the middle of the two by two that it stands for."""

REACH = len(HALF_BAND) // 2 - 1
"""Pixels before the first of a pair that the filter needs."""

STRIP = 32
"""Most pixels of the reduced image that one row of a product holds. Of a banded matrix' products
most are with 0, the more the longer the strip, and a matrix of less than 16 rows is slow: measured
on photographs of 256 to 2048 px, where a whole axis at once takes up to thirty times as long."""

WHITE_NOISE = (1.0, 0.391, 0.191, 0.096, 0.048)
"""Standard deviation of white noise in each band over that in the finest one (measured)."""

ROWS, COLUMNS = -1, -2
"""Axes of an image along its rows and along its columns."""

GREEN = slice(1, 2)
"""The channel in which vessels have the most contrast, as a slice of channels."""

CONTRAST_STRIDE = 16
"""Pixels of the photograph per pixel of a contrast map, along one axis."""

NEIGHBOURHOOD = 5
"""Pixels of a contrast map, along one axis, over which contrast is averaged: 80 px of the
photograph, wider than any vessel (our choice)."""


def reduced(image: Tensor) -> Tensor:
    """Return images `(B, C, H, W)` blurred and reduced by 2, sides rounded up."""
    return _reduced_along(_reduced_along(image, ROWS), COLUMNS)


def enlarged(image: Tensor, size: Sequence[int]) -> Tensor:
    """Return images `(B, C, h, w)` enlarged by 2 to a height and width that reduce to theirs."""
    height, width = size
    return _enlarged_along(_enlarged_along(image, height, COLUMNS), width, ROWS)


def _reduced_along(image: Tensor, axis: int) -> Tensor:
    """Return images `(B, C, H, W)` with half the pixels along an axis, rounded up.

    By a product with a banded matrix, strip by strip: a third of the time of a convolution with its
    backward pass, since the images have few channels.
    """
    half = -(-image.shape[axis] // 2)
    strip = min(STRIP, half)
    matrix = _half_band(strip).to(image.device, non_blocking=image.is_cuda)
    after = 2 * strip * -(-half // strip) - image.shape[axis] + REACH
    padded = _padded(image, REACH, after, axis)
    return _product(padded, matrix.T, 2 * strip, axis).narrow(axis, 0, half)


def _enlarged_along(image: Tensor, length: int, axis: int) -> Tensor:
    """Return images `(B, C, h, w)` with twice the pixels along an axis, at most `length`."""
    half = image.shape[axis]
    strip = min(STRIP, half)
    around = len(HALF_BAND) // 4
    # The transpose of a wider reduction, doubled, without the pixels at its ends.
    matrix = 2.0 * _half_band(strip + 2 * around).T[REACH + 2 * around :][: 2 * strip]
    padded = _padded(image, around, strip * -(-half // strip) - half + around, axis)
    matrix = matrix.T.to(image.device, non_blocking=image.is_cuda)
    return _product(padded, matrix, strip, axis).narrow(axis, 0, length)


def _product(image: Tensor, matrix: Tensor, step: int, axis: int) -> Tensor:
    """Return the product of each strip of `(B, C, H, W)` with a matrix, one beside the other.

    Both axes have a form whose result lies in memory as the image does: with columns as the rows
    of a transposed image, a pyramid takes twice the time.

    Args:
        image: The images.
        matrix: `(length of a strip, length of its result)`.
        step: Pixels from one strip to the next.
        axis: Along which the strips lie.
    """
    with torch.autocast(image.device.type, enabled=False):  # a band is a small difference
        strips = image.float().unfold(axis, len(matrix), step)
        if axis == ROWS:  # (B, C, H, strips, length)
            # One product of all strips: `strips @ matrix` would make one of each row's.
            product = strips.reshape(-1, len(matrix)) @ matrix
            return product.view(*strips.shape[:-2], -1)
        columns = strips.mT.flatten(0, 2)  # (B C strips, length, W)
        product = matrix.T.expand(len(columns), -1, -1).bmm(columns)
        return product.view(*image.shape[:2], -1, image.shape[-1])


def _padded(image: Tensor, before: int, after: int, axis: int) -> Tensor:
    """Return images with their first and last pixel along an axis repeated."""
    widths = (before, after, 0, 0) if axis == ROWS else (0, 0, before, after)
    return functional.pad(image, widths, mode="replicate")


def _half_band(count: int) -> Tensor:
    """Return the matrix of the low-pass filter and decimation, `(count, 2 count + taps - 2)`."""
    return torch.from_numpy(_half_band_array(count))


@functools.cache
def _half_band_array(count: int) -> NDArray[np.float32]:
    """Return the same as an array: an exporter's or an inference mode's tensor must not be kept."""
    taps = np.array(HALF_BAND, dtype=np.float32)
    matrix = np.zeros((count, 2 * count + len(taps) - 2), dtype=np.float32)
    for row in range(count):
        matrix[row, 2 * row : 2 * row + len(taps)] = taps / taps.sum()
    return matrix


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
    # Contiguous: of one channel in channels-last torch makes averages five times as slowly.
    green = image[:, GREEN].contiguous()
    power = [
        neighbourhood_mean(band.square(), level)
        for level, band in enumerate(bands(green, levels)[:-1])
    ]
    return torch.cat(power, dim=1).sqrt()


def neighbourhood_mean(values: Tensor, level: int) -> Tensor:
    """Return the mean of values of a band around each place, `(B, C, H / 16, W / 16)`, rounded up.

    Args:
        values: `(B, C, H / 2^level, W / 2^level)`, H and W of the photograph.
        level: Of the band.
    """
    coarse = functional.avg_pool2d(values, CONTRAST_STRIDE // 2**level, ceil_mode=True)
    return functional.avg_pool2d(
        coarse, NEIGHBOURHOOD, 1, NEIGHBOURHOOD // 2, count_include_pad=False
    )


def above_noise(contrast: Tensor, grain: Tensor | None = None) -> Tensor:
    """Return the share of each band's power that is not noise, like `contrast`, in [0, 1].

    What the finest band holds is taken for white noise, which it mostly is in a photograph of an
    eye; in the other bands it leaves what neither such noise nor grain would explain. The finest
    band's own share is not known, and 1.

    Args:
        contrast: See :func:`band_contrast`; at most five bands.
        grain: Contrast of the grain of each band, `(B, levels, 1, 1)`; none if None.
    """
    ratio = contrast.new_tensor(WHITE_NOISE[: contrast.shape[1]])[:, None, None]
    noise = contrast[:, :1] * ratio
    if grain is not None:
        noise = torch.maximum(noise, grain.expand_as(noise))
    noise = torch.cat([torch.zeros_like(noise[:, :1]), noise[:, 1:]], dim=1)
    return (1.0 - (noise / contrast.clamp(min=1e-6)).square()).clamp(min=0.0)
