"""Slow references, one photograph at a time, in numpy and scipy, from the formulas alone.

Each takes `image` `(S, S, 3)` and `mask` `(S, S)` as float64 in [0, 1], and a record's values.
"""

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import convolve, gaussian_filter, map_coordinates
from scipy.signal import fftconvolve

Array = NDArray[np.float64]
Values = dict[str, Any]
SIDE = 512
GREY = np.array([0.299, 0.587, 0.114])


def gaussian(size: int, sigma: float) -> Array:
    taps = np.arange(size) - size // 2
    weights = np.exp(-0.5 * (taps / sigma) ** 2)
    return weights / weights.sum()


def blur_at_512(field: Array, size_x: int, size_y: int, sigma: float) -> Array:
    def along(axis: int, size: int) -> None:
        nonlocal field
        margin = [(0, 0), (0, 0)]
        margin[axis] = (size // 2, size // 2)
        wide = np.pad(field, margin, "reflect")
        field = np.apply_along_axis(np.convolve, axis, wide, gaussian(size, sigma), "valid")

    along(1, size_x)
    along(0, size_y)
    return field


def disc_at_512(x: float, y: float, diameter: float) -> Array:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return ((columns - x) ** 2 + (rows - y) ** 2 <= (diameter / 2) ** 2).astype(float)


def to_size(field: Array, size: int) -> Array:
    """Return a field drawn at 512 px at another size: the mean over each pixel."""
    if size == SIDE:
        return field
    fine = 4 * size
    place = (np.arange(fine) + 0.5) * SIDE / fine - 0.5
    grid = np.stack(np.meshgrid(place, place, indexing="ij"))
    wide = map_coordinates(field, grid, order=1, mode="nearest")
    return wide.reshape(size, 4, size, 4).mean(axis=(1, 3))


def cofe_colour(image: Array, mask: Array, v: Values) -> Array:
    image = np.clip(image * v["brightness"], 0, 1)
    mean = (image @ GREY).mean()
    image = np.clip(mean + v["contrast"] * (image - mean), 0, 1)
    grey = (image @ GREY)[..., None]
    return np.clip(grey + v["saturation"] * (image - grey), 0, 1)


def cofe_halo(image: Array, mask: Array, v: Values) -> Array:
    ring = disc_at_512(v["centre_x"], v["centre_y"], v["outer"])
    ring = np.clip(ring - disc_at_512(v["centre_x"], v["centre_y"], v["inner"]), 0, 1)
    field = to_size(blur_at_512(ring, int(v["kernel"]), int(v["kernel"]), v["sigma"]), len(image))
    colour = np.array([v["red"], v["green"], v["blue"]])
    return np.clip(image + image.mean() * field[..., None] * colour, 0, 1)


def cofe_hole(image: Array, mask: Array, v: Values) -> Array:
    mean = image.sum() / (3 * mask.sum())
    if mean <= v["least_mean"]:
        return image
    disc = disc_at_512(v["centre_x"], v["centre_y"], v["diameter"])
    field = blur_at_512(disc, int(v["kernel_x"]), int(v["kernel_y"]), v["sigma"])
    depth = v["base"] + v["share"] * mean
    return np.clip(image - depth * to_size(field, len(image))[..., None], 0, 1)


def cofe_spots(image: Array, mask: Array, v: Values) -> Array:
    light = np.zeros((SIDE, SIDE))
    for x, y, radius, edge, strength in zip(
        v["x"], v["y"], v["radius"], v["edge"], v["strength"], strict=True
    ):
        disc = disc_at_512(x, y, 2 * radius)
        if edge == 4.5:  # the online variant
            light += strength * blur_at_512(disc, 5, 5, 1.8)
        else:
            sigma = 2 * (5 + 20 * (2 * radius + 0.5) / 25)  # radius is half the size, rounded down
            light += strength * blur_at_512(disc, int(edge), int(edge), sigma)
    return np.clip(image + to_size(light, len(image))[..., None], 0, 1)


def cofe_blur(image: Array, mask: Array, v: Values) -> Array:
    """At 512 px the script; elsewhere the wave form of its kernel, exact but for aliasing."""
    side = len(image)
    for axis, name in ((0, "kernel_y"), (1, "kernel_x")):
        taps = gaussian(int(v[name]), v["sigma"])
        if side == SIDE:
            shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
            image = convolve(image, taps.reshape(shape), mode="mirror")
            continue
        wide = np.concatenate([image, np.flip(image, axis)], axis)  # periodic without a jump
        frequency = np.fft.rfftfreq(2 * side) * side / SIDE  # cycles a pixel of 512
        places = np.arange(len(taps)) - len(taps) // 2
        response = (taps * np.cos(2 * math.pi * np.outer(frequency, places))).sum(axis=1)
        shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
        spectrum = np.fft.rfft(wide, axis=axis) * response.reshape(shape)
        image = np.take(np.fft.irfft(spectrum, n=2 * side, axis=axis), np.arange(side), axis)
    return np.clip(image, 0, 1)


class Place:
    """Pixel coordinates in field diameters from the field's centre."""

    def __init__(self, mask: Array) -> None:
        rows, columns = np.nonzero(mask)
        left, right = columns.min(), columns.max() + 1
        top, bottom = rows.min(), rows.max() + 1
        self.diameter = float(max(right - left, bottom - top))
        y, x = np.mgrid[: len(mask), : len(mask)] + 0.5
        self.x = (x - (left + right) / 2) / self.diameter
        self.y = (y - (top + bottom) / 2) / self.diameter

    def from_point(self, x: float, y: float) -> Array:
        return np.hypot(self.x - x, self.y - y)


def colour_of(v: Values) -> Array:
    return np.array([v["red"], v["green"], v["blue"]])


def shadow(image: Array, mask: Array, v: Values) -> Array:
    at = Place(mask)
    light = np.ones_like(mask)
    for k in range(len(v["x"])):
        dx, dy = at.x - v["x"][k], at.y - v["y"][k]
        c, s = math.cos(v["angle"][k]), math.sin(v["angle"][k])
        squared = ((dx * c + dy * s) / v["length"][k]) ** 2 + (
            (dy * c - dx * s) / v["width"][k]
        ) ** 2
        light *= 1 - v["depth"][k] * np.exp(-0.5 * squared ** v["flatness"][k])
    return np.sqrt(image**2 * light[..., None])


def vignette(image: Array, mask: Array, v: Values) -> Array:
    radii = 2 * Place(mask).from_point(v["x"], v["y"])
    return np.sqrt(image**2 * np.exp(-v["fall"] * radii**2)[..., None])


def cast(image: Array, mask: Array, v: Values) -> Array:
    return np.sqrt(image**2 * colour_of(v))


def kernel_blur(image: Array, mask: Array, kernel: Array) -> Array:
    light = np.stack([fftconvolve(image[..., c] ** 2 * mask, kernel, "same") for c in range(3)], -1)
    light /= np.maximum(fftconvolve(mask, kernel, "same"), 0.05)[..., None]
    return np.sqrt(np.clip(light, 0, 1))


def points_kernel(x: Array, y: Array, weight: Array | float = 1.0) -> Array:
    """Return the kernel of many points between the pixels, as an ideal camera samples them."""
    pixels = np.arange(-30, 31)
    rows = np.sinc(pixels[:, None] - y[None, :])
    columns = np.sinc(pixels[:, None] - x[None, :])
    kernel = (rows * weight) @ columns.T
    return np.asarray(kernel / kernel.sum())


def defocus(image: Array, mask: Array, v: Values) -> Array:
    radius = v["radius"] * Place(mask).diameter
    side = (np.arange(-100, 101) / 100) * radius
    x, y = (axis.ravel() for axis in np.meshgrid(side, side))
    inside = np.hypot(x, y) <= radius
    return kernel_blur(image, mask, points_kernel(x[inside], y[inside]))


def motion(image: Array, mask: Array, v: Values) -> Array:
    along = np.linspace(-0.5, 0.5, 2001) * v["length"] * Place(mask).diameter
    kernel = points_kernel(along * math.cos(v["angle"]), along * math.sin(v["angle"]))
    return kernel_blur(image, mask, kernel)


def blur(image: Array, mask: Array, v: Values) -> Array:
    sigma = v["sigma"] * Place(mask).diameter
    side = np.linspace(-5, 5, 101) * sigma
    x, y = (axis.ravel() for axis in np.meshgrid(side, side))
    weight = np.exp(-0.5 * (x**2 + y**2) / sigma**2)
    return kernel_blur(image, mask, points_kernel(x, y, weight))


def haze(image: Array, mask: Array, v: Values) -> Array:
    at = Place(mask)
    share = v["share"] * (1 + v["lean_x"] * at.x + v["lean_y"] * at.y)
    share = np.clip(share, 0, 0.95)[..., None]
    sigma = v["reach"] * at.diameter
    light = image**2

    def spread(field: Array) -> Array:
        return np.asarray(gaussian_filter(field, sigma, mode="constant", truncate=6))

    own = np.stack([spread(light[..., c] * mask) for c in range(3)], -1)
    own = own / np.maximum(spread(mask), 1e-3)[..., None]
    pale = (own @ GREY)[..., None] * colour_of(v)
    scattered = (1 - v["paleness"]) * own + v["paleness"] * pale
    return np.sqrt(np.clip(light * (1 - share) + scattered * share, 0, 1))


def flare(image: Array, mask: Array, v: Values) -> Array:
    at = Place(mask)
    distance = at.from_point(v["x"], v["y"])
    away = math.hypot(v["x"], v["y"])
    cosine = -(at.x * v["x"] + at.y * v["y"]) / max(away / 2, 1e-3)
    fade = np.clip(0.5 + 0.5 * cosine, 0, 1) ** v["fall"]
    result = np.empty_like(image)
    for c, colour in enumerate(colour_of(v)):
        ramp = (distance - v["radius"] - (c - 1) * v["fringe"]) / v["softness"]
        ramp = np.clip(ramp, 0, 1)
        share = v["share"] * fade * (3 * ramp**2 - 2 * ramp**3)
        result[..., c] = np.sqrt(image[..., c] ** 2 * (1 - share) + colour**2 * share)
    return result


def halo(image: Array, mask: Array, v: Values) -> Array:
    distance = Place(mask).from_point(v["x"], v["y"])
    ring = np.clip((distance - v["inner"]) / (0.5 - v["inner"]), 0, 1) ** v["exponent"]
    light = ring[..., None] * colour_of(v)
    return np.sqrt(np.clip(1 - (1 - image**2) * np.clip(1 - light, 0, None), 0, 1))


def discs(mask: Array, v: Values, heights: list[float]) -> Array:
    at = Place(mask)
    field = np.zeros_like(mask)
    for k, height in enumerate(heights):
        ramp = v["radius"][k] - at.from_point(v["x"][k], v["y"][k])
        field += height * np.clip(ramp / max(v["edge"][k], 1 / at.diameter) + 0.5, 0, 1)
    return field[..., None]


def spots(image: Array, mask: Array, v: Values) -> Array:
    light = np.minimum(discs(mask, v, v["light"]), 1)
    return np.sqrt(1 - (1 - image**2) * (1 - light))


def dust(image: Array, mask: Array, v: Values) -> Array:
    gain = np.maximum(1 + discs(mask, v, v["gain"]), 0.05)
    return np.sqrt(image**2 * gain / (1 + np.maximum(gain - 1, 0) * image**2))


def exposure(image: Array, mask: Array, v: Values) -> Array:
    gain = 2.0 ** v["stops"]
    light = image**2 * gain
    return np.sqrt(light / (1 + max(gain - 1, 0) * image**2))


def burnout(image: Array, mask: Array, v: Values) -> Array:
    at = Place(mask)
    sigma = 0.015 * at.diameter
    smooth = gaussian_filter(image[..., 1] ** 2 * mask, sigma, mode="constant", truncate=6)
    area = gaussian_filter(mask, sigma, mode="constant", truncate=6)
    brightest = np.where(area > 0.5, smooth / np.maximum(area, 1e-3), 0).argmax()
    row, column = np.unravel_index(brightest, mask.shape)
    distance = at.from_point(at.x[row, column] + v["x"], at.y[row, column] + v["y"])
    bump = np.exp(-0.5 * (distance / v["radius"]) ** 2)[..., None]
    light = image**2
    light = light + v["paleness"] * bump * ((light @ GREY)[..., None] - light)
    return np.sqrt(np.minimum(light * (1 + (v["gain"] - 1) * bump), 1))


def normal_numbers(height: int, width: int, seed: int) -> Array:
    """Return standard normal numbers `(height, width, 3)`, hashed from a seed and their index."""
    count = height * width * 3
    pairs = (count + 1) // 2
    hashed = np.array([splitmix(i + (seed << 31)) for i in range(pairs)], dtype=np.uint64)
    low = (hashed & np.uint64(0xFFFFFF)).astype(float)
    high = ((hashed >> np.uint64(24)) & np.uint64(0xFFFFFF)).astype(float)
    radius = np.sqrt(-2 * np.log((low + 1) / 2**24))
    angle = 2 * math.pi * high / 2**24
    normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
    return normal.reshape(3, height, width).transpose(1, 2, 0)


def noise(image: Array, mask: Array, v: Values) -> Array:
    normal = normal_numbers(*image.shape[:2], v["seed"])
    sigma = np.sqrt(v["shot"] * image**2 + v["read"] ** 2) * Place(mask).diameter / 512
    return np.sqrt(np.clip(image**2 + sigma * normal, 0, 1))


def grain(image: Array, mask: Array, v: Values) -> Array:
    """Clumps of 8, 4 and 2 px, each enlarged twofold until they are pixels."""
    height, width, _ = image.shape
    field: Array = np.zeros((-(-height // 8), -(-width // 8), 3))
    for octave in (3, 2, 1):
        rows, columns, _ = field.shape
        seed = (v["seed"] + octave * 0x9E3779B9) % (1 << 32)
        field = field + normal_numbers(rows, columns, seed)
        to = [(np.arange(2 * n) + 0.5) / 2 - 0.5 for n in (rows, columns)]
        grid = np.stack(np.meshgrid(*to, indexing="ij"))
        planes = [map_coordinates(field[..., c], grid, order=1, mode="nearest") for c in range(3)]
        tall, wide = (-(-n // 2 ** (octave - 1)) for n in (height, width))
        field = np.stack(planes, axis=-1)[:tall, :wide]
    return np.clip(image + v["sigma"] * field / 1.011, 0, 1)


def splitmix(number: int) -> int:
    full = (1 << 64) - 1
    number = (number + 0x9E3779B97F4A7C15) & full
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & full
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & full
    return number ^ (number >> 31)


def colour(image: Array, mask: Array, v: Values) -> Array:
    image = image * v["brightness"]
    mean = (image @ GREY)[mask > 0].mean()
    image = mean + v["contrast"] * (image - mean)
    grey = (image @ GREY)[..., None] - (1 - v["contrast"]) * mean
    offset = (1 - v["contrast"]) * mean
    changed = np.clip(offset + grey + v["saturation"] * (image - offset - grey), 0, None)
    return np.where(changed > 0.8, 1 - 0.2 * np.exp((0.8 - changed) / 0.2), changed)


def jpeg(image: Array, mask: Array, v: Values) -> Array:
    """Pillow's own encoder, that is libjpeg's, with its usual halved colour."""
    memory = io.BytesIO()
    picture = Image.fromarray((image * 255).round().astype(np.uint8))
    picture.save(memory, "JPEG", quality=round(v["quality"]))
    return np.asarray(Image.open(memory)) / 255.0


Reference = Callable[[Array, Array, Values], Array]

COFE: dict[str, Reference] = {
    "colour": cofe_colour, "halo": cofe_halo, "hole": cofe_hole, "spots": cofe_spots,
    "blur": cofe_blur,
}  # fmt: skip
FUNDUS: dict[str, Reference] = {
    "shadow": shadow, "vignette": vignette, "cast": cast, "defocus": defocus, "motion": motion,
    "blur": blur, "haze": haze, "flare": flare, "halo": halo, "spots": spots, "dust": dust,
    "exposure": exposure, "noise": noise, "grain": grain, "colour": colour,
    "burnout": burnout, "jpeg": jpeg,
}  # fmt: skip
