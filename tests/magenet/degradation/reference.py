"""Slow references, one photograph at a time, written from the released script's formulas."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from scipy.ndimage import convolve1d

Array = NDArray[np.float64]
SIDE = 512


def colour(image: Array, brightness: float, contrast: float, saturation: float) -> Array:
    """Pillow itself, on `(S, S, 3)` in [0, 1]; it rounds to 8 bit after each step."""
    picture = Image.fromarray((image * 255).round().astype(np.uint8))
    picture = ImageEnhance.Brightness(picture).enhance(brightness)
    picture = ImageEnhance.Contrast(picture).enhance(contrast)
    picture = ImageEnhance.Color(picture).enhance(saturation)
    return np.asarray(picture) / 255.0


def odd(size: float) -> int:
    return int(size) + (int(size) % 2 == 0)


def gaussian(size: int, sigma: float) -> Array:
    taps = np.arange(size) - size // 2
    weights = np.exp(-0.5 * (taps / sigma) ** 2)
    return weights / weights.sum()


def blur(field: Array, size_x: int, size_y: int, sigma: float) -> Array:
    rows = convolve1d(field, gaussian(size_x, sigma), axis=1, mode="mirror")
    return convolve1d(rows, gaussian(size_y, sigma), axis=0, mode="mirror")


def disc(centre_x: float, centre_y: float, diameter: float) -> Array:
    y, x = np.mgrid[:SIDE, :SIDE]
    return ((x - centre_x) ** 2 + (y - centre_y) ** 2 <= (diameter / 2) ** 2).astype(float)


def halo(image: Array, cx: float, cy: float, inner: float, outer: float, tint: Array) -> Array:
    kernel = abs(2 * max(cx, SIDE - cx, cy, SIDE - cy) - inner)
    ring = np.clip(disc(cx, cy, outer) - disc(cx, cy, inner), 0, 1)
    field = blur(ring, odd(kernel), odd(kernel), max(2 * kernel / 3, 1.0))
    return np.clip(image + image.mean() * field[..., None] * tint, 0, 1)


def hole(
    image: Array, cx: float, cy: float, diameter: float, kx: int, ky: int, depth: float
) -> Array:
    field = blur(disc(cx, cy, diameter), odd(kx), odd(ky), 2 / 3 * 1.2 * max(kx, ky))
    return np.clip(image + depth * field[..., None], 0, 1)


def spot(size: int, cx: float, cy: float, edge: int) -> Array:
    strength = (14 / 25 + 1 - size / 25) * (1 - np.exp(-(0.5 + size / 25) * 0.3 * size / 25))
    sigma = 2 * (5 + 20 * size / 25)
    soft = blur(disc(cx, cy, 2 * (size // 2)), odd(edge), odd(edge), sigma)
    return strength * soft


def box_like(image: Array, sigma: float, size_y: int, size_x: int) -> Array:
    rows = convolve1d(image, gaussian(size_y, sigma), axis=0, mode="mirror")
    return np.clip(convolve1d(rows, gaussian(size_x, sigma), axis=1, mode="mirror"), 0, 1)
