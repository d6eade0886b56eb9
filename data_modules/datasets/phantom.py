"""Phantoms: procedurally drawn retinas with exact labels, for first runs and tests.

A phantom is drawn in units of the field's diameter from one seed, so that the same retina is
available at any size. It is no substitute for photographs: it only contains the structures that
enhancers and segmenters depend on (a field, a disc with a cup, a fovea, a tree of arteries and
veins, texture, lesions) at about the right sizes and colours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor

from data_modules.datasets.photographs import LESIONS
from data_modules.datasets.vessel_tree import Point, Vessel, grow_vessels
from magenet.imaging.field_of_view import FieldOfView, field_from_mask

Camera = Literal["clinic", "handheld"]
Array = NDArray[np.float32]

DISC_RADIUS = 0.052
"""Vertical radius of the optic disc over the field's diameter (1.8 mm in a 50 degree field)."""


@dataclass(frozen=True)
class Phantom:
    """A drawn retina and its exact labels.

    Attributes:
        image: uint8 `(3, S, S)`.
        field: The field of view.
        vessels: bool `(1, S, S)`.
        disc: bool `(1, S, S)`.
        cup: bool `(1, S, S)`, inside the disc.
        lesions: One bool `(1, S, S)` per kind of `LESIONS`.
    """

    image: Tensor
    field: FieldOfView
    vessels: Tensor
    disc: Tensor
    cup: Tensor
    lesions: dict[str, Tensor]


@dataclass
class _Anatomy:
    """Positions of the anatomical structures, drawn from the seed before any pixel."""

    disc: Point
    fovea: Point
    disc_radius: Point
    cup_ratio: float
    vessels: list[Vessel] = field(default_factory=list)


def _noise(rng: np.random.Generator, size: int, cells: int) -> Array:
    """Return smooth noise `(size, size)` of unit variance, with about `cells` bumps per side."""
    coarse = rng.normal(size=(cells + 3, cells + 3)).astype(np.float32)
    resized = Image.fromarray(coarse).resize(
        (size, size), Image.Resampling.BICUBIC, box=(1, 1, cells + 1, cells + 1)
    )
    smooth: Array = np.asarray(resized, dtype=np.float32)
    return np.asarray(smooth / max(float(smooth.std()), 1e-6), np.float32)


def _blur(picture: Array, radius: float) -> Array:
    """Blur a `(S, S)` picture in [0, 1] by a Gaussian of sigma `radius`, in pixels."""
    quantised = Image.fromarray((picture * 255).astype(np.uint8))
    blurred = quantised.filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(np.asarray(blurred) / 255, np.float32)


def _draw_vessels(vessels: list[Vessel], size: int, *, arteries: bool, scale: float = 1.0) -> Array:
    """Return the coverage of the arteries or veins, `(S, S)` in [0, 1], anti-aliased.

    Args:
        vessels: All vessels.
        size: Side in pixels.
        arteries: Whether to draw the arteries or the veins.
        scale: Factor for all radii; below 1 for the central light reflex.
    """
    supersampling = 4 if size <= 256 else 2
    unit = size * supersampling
    canvas = Image.new("L", (unit, unit))
    pen = ImageDraw.Draw(canvas)
    for vessel in vessels:
        if vessel.artery != arteries:
            continue
        count = len(vessel.points) - 1
        for index, (a, b) in enumerate(zip(vessel.points[:-1], vessel.points[1:], strict=True)):
            progress = (index + 0.5) / count
            radius = vessel.start_radius * (1 - progress) + vessel.end_radius * progress
            width = max(1.0, 2 * radius * scale * unit)
            pen.line(
                (a[0] * unit, a[1] * unit, b[0] * unit, b[1] * unit), fill=255, width=round(width)
            )
            if width > 3:
                r = width / 2 - 0.5
                x, y = b[0] * unit, b[1] * unit
                pen.ellipse((x - r, y - r, x + r, y + r), fill=255)
    return np.asarray(np.asarray(canvas.reduce(supersampling)) / 255, np.float32)


def _ellipse(x: Array, y: Array, centre: Point, radius: Point) -> Array:
    """Return the distance from the centre in units of the radii, `(S, S)`; 1 on the ellipse."""
    squared = ((x - centre[0]) / radius[0]) ** 2 + ((y - centre[1]) / radius[1]) ** 2
    return np.asarray(np.sqrt(squared), np.float32)


def _step(distance: Array, softness: float) -> Array:
    """Return 1 where `distance` is below 1, 0 above, with a linear ramp of the given width."""
    return np.asarray(np.clip((1.0 - distance) / softness + 0.5, 0.0, 1.0), np.float32)


def _lesion_maps(
    rng: np.random.Generator, x: Array, y: Array, anatomy: _Anatomy, pixel: float
) -> dict[str, Array]:
    """Return soft maps in [0, 1], one per kind of lesion."""
    maps = {kind: np.zeros_like(x) for kind in LESIONS}

    def add(kind: str, centre: Point, radius: float, edge: float) -> None:
        distance = _ellipse(x, y, centre, (radius, radius * rng.uniform(0.6, 1.0)))
        maps[kind] = np.maximum(maps[kind], _step(distance, max(edge, pixel / radius)))

    def random_point(spread: float) -> Point:
        while True:
            angle, distance = rng.uniform(0, 2 * math.pi), abs(rng.normal(0, spread))
            point = (
                anatomy.fovea[0] + distance * math.cos(angle),
                anatomy.fovea[1] + distance * math.sin(angle),
            )
            to_disc = math.hypot(point[0] - anatomy.disc[0], point[1] - anatomy.disc[1])
            if math.hypot(point[0] - 0.5, point[1] - 0.5) < 0.42 and to_disc > 0.09:
                return point

    for _ in range(int(rng.integers(3, 14))):
        add("microaneurysm", random_point(0.2), rng.uniform(0.002, 0.004), 0.6)
    for _ in range(int(rng.integers(0, 5))):
        centre = random_point(0.22)
        for _ in range(3):
            shift = rng.normal(0, 0.006, 2)
            point = (centre[0] + float(shift[0]), centre[1] + float(shift[1]))
            add("haemorrhage", point, rng.uniform(0.006, 0.014), 0.5)
    for _ in range(int(rng.integers(0, 4))):
        centre = random_point(0.12)
        for _ in range(int(rng.integers(3, 12))):
            shift = rng.normal(0, 0.02, 2)
            point = (centre[0] + float(shift[0]), centre[1] + float(shift[1]))
            add("hard_exudate", point, rng.uniform(0.002, 0.006), 0.3)
    for _ in range(int(rng.integers(0, 3))):
        add("soft_exudate", random_point(0.2), rng.uniform(0.010, 0.02), 1.2)
    return maps


def draw_phantom(
    seed: int, size: int = 256, *, camera: Camera = "clinic", lesions: bool | None = None
) -> Phantom:
    """Draw a phantom.

    Args:
        seed: Seed of the retina, which is the same at any size except noise and sub-pixel texture.
        size: Side in pixels.
        camera: `clinic` is an evenly lit table-top camera; `handheld`, for the unlabelled domain,
            has another colour response, uneven light, a veil, blur and more noise.
        lesions: Whether there are lesions; if None, a third of the seeds have some.

    Example:
        >>> phantom = draw_phantom(1, 64)
        >>> phantom.image.shape, phantom.image.dtype, bool((phantom.cup & ~phantom.disc).any())
        (torch.Size([3, 64, 64]), torch.uint8, False)
    """
    rng = np.random.default_rng([7919, seed])
    left_eye = rng.random() < 0.5
    side = -1.0 if left_eye else 1.0
    disc = (0.5 + side * rng.uniform(0.15, 0.21), 0.5 + rng.uniform(-0.03, 0.03))
    anatomy = _Anatomy(
        disc=disc,
        fovea=(disc[0] - side * rng.uniform(0.24, 0.28), disc[1] + rng.uniform(0.0, 0.04)),
        disc_radius=(DISC_RADIUS * rng.uniform(0.85, 0.97), DISC_RADIUS * rng.uniform(0.95, 1.1)),
        cup_ratio=rng.uniform(0.3, 0.65),
    )
    anatomy.vessels = grow_vessels(rng, anatomy.disc, anatomy.fovea)
    has_lesions = bool(rng.random() < 1 / 3) if lesions is None else lesions
    tone = rng.uniform(0.0, 1.0)  # pigment: 0 fair, 1 dark
    weights = rng.uniform(0.6, 1.4, 4)

    pixel = 1.0 / size
    axis = (np.arange(size, dtype=np.float32) + 0.5) * pixel
    x, y = np.meshgrid(axis, axis)
    radial = _ellipse(x, y, (0.5, 0.5), (0.485, 0.485))
    clip = rng.uniform(0.38, 0.5) if rng.random() < 0.4 else 0.5
    inside = (radial <= 1.0) & (np.abs(y - 0.5) <= clip)

    # Choroid and pigment: smooth clouds, and pale streaks where there is little pigment.
    clouds = 0.6 * _noise(rng, size, 5) + 0.3 * _noise(rng, size, 14) + 0.15 * _noise(rng, size, 40)
    streaks = np.exp(-np.abs(_noise(rng, size, 13)) * 4.0) * _step(2.2 - radial * 1.6, 0.8)
    fair = np.array([0.80, 0.42, 0.25], np.float32)
    dark = np.array([0.62, 0.27, 0.12], np.float32)
    base = fair * (1 - tone) + dark * tone
    picture: Array = np.repeat(base[:, None, None], size, 1).repeat(size, 2)
    picture = picture * (1 + 0.045 * weights[0] * clouds)
    red_streaks = np.array([0.05, 0.045, 0.02], np.float32)[:, None, None]
    picture = picture + red_streaks * streaks * (1 - tone) * weights[1]
    picture = picture * (1 + 0.03 * np.array([0, 1, 1], np.float32)[:, None, None] * clouds)

    # Fovea: macular pigment darkens green and blue.
    macula = np.exp(-(_ellipse(x, y, anatomy.fovea, (0.085, 0.085)) ** 2))
    pit = np.exp(-(_ellipse(x, y, anatomy.fovea, (0.03, 0.03)) ** 2))
    shade = np.array([0.20, 0.34, 0.42], np.float32)[:, None, None]
    picture = picture * (1 - shade * (0.7 * macula + 0.45 * pit) * weights[2])

    # Optic disc with cup, and a bright halo of nerve fibres around it.
    edge = _ellipse(x, y, anatomy.disc, anatomy.disc_radius)
    cup_radius = (
        anatomy.disc_radius[0] * anatomy.cup_ratio,
        anatomy.disc_radius[1] * anatomy.cup_ratio,
    )
    cup_edge = _ellipse(x, y, anatomy.disc, cup_radius)
    glow = np.exp(-((edge / 2.4) ** 2))
    picture = picture * (1 + 0.10 * glow)
    rim, bowl = _step(edge, 0.22), _step(cup_edge, 0.5)
    rim_colour = np.array([0.96, 0.66, 0.40], np.float32)[:, None, None]
    cup_colour = np.array([1.0, 0.88, 0.66], np.float32)[:, None, None]
    picture = picture * (1 - rim) + rim_colour * rim
    picture = picture * (1 - 0.85 * bowl) + cup_colour * 0.85 * bowl

    # Vessels: veins are darker and bluer, arteries redder with a central light reflex.
    veins = _draw_vessels(anatomy.vessels, size, arteries=False)
    arteries = _draw_vessels(anatomy.vessels, size, arteries=True)
    soften = 0.0012 * size
    for coverage, colour in (
        (_blur(veins, soften), np.array([0.66, 0.40, 0.50], np.float32)),
        (_blur(arteries, soften), np.array([0.84, 0.55, 0.52], np.float32)),
    ):
        picture = picture * (1 - coverage * (1 - colour[:, None, None]))
    reflex = _draw_vessels(anatomy.vessels, size, arteries=True, scale=0.3)
    interior = _blur(np.asarray(arteries > 0.9, np.float32), soften)
    picture = picture * (1 + 0.16 * reflex * interior * weights[3])

    maps = {kind: np.zeros((size, size), np.float32) for kind in LESIONS}
    if has_lesions:
        maps = _lesion_maps(rng, x, y, anatomy, pixel)
        for kind, colour_of, strength in (
            ("microaneurysm", (0.55, 0.18, 0.12), 0.75),
            ("haemorrhage", (0.50, 0.13, 0.09), 0.8),
            ("soft_exudate", (0.92, 0.78, 0.55), 0.6),
            ("hard_exudate", (0.98, 0.88, 0.45), 0.9),
        ):
            cover = strength * maps[kind]
            picture = picture * (1 - cover) + np.array(colour_of, np.float32)[:, None, None] * cover

    # Illumination: it falls off towards the edge and varies smoothly.
    fall = 1.0 - rng.uniform(0.10, 0.28) * np.clip(radial, 0, 1) ** 2
    drift = 1.0 + 0.06 * _noise(rng, size, 2)
    picture = picture * np.asarray(fall * drift * rng.uniform(0.85, 1.08), np.float32)
    if camera == "handheld":
        picture = _handheld(rng, picture, x, y, size)
    picture = picture + rng.normal(0, 0.006, picture.shape).astype(np.float32)
    picture = np.clip(picture, 0, 1) * inside
    image = torch.from_numpy((picture * 255 + 0.5).astype(np.uint8))

    def label(mask: NDArray[np.bool_]) -> Tensor:
        return torch.from_numpy(mask & inside)[None]

    return Phantom(
        image=image,
        field=field_from_mask(torch.from_numpy(inside)[None]),
        vessels=label(np.maximum(veins, arteries) > 0.5),
        disc=label(edge <= 1.0),
        cup=label(cup_edge <= 1.0),
        lesions={kind: label(map_ > 0.5) for kind, map_ in maps.items()},
    )


def _handheld(rng: np.random.Generator, picture: Array, x: Array, y: Array, size: int) -> Array:
    """Simulate a hand-held camera: other colours, uneven light, a veil, blur, noise."""
    angle = rng.uniform(0, 2 * math.pi)
    gradient = (x - 0.5) * math.cos(angle) + (y - 0.5) * math.sin(angle)
    light = 1.0 + rng.uniform(0.2, 1.0) * gradient
    shadow = (0.5 + rng.uniform(-0.3, 0.3), 0.5 + rng.uniform(-0.3, 0.3))
    radius = rng.uniform(0.15, 0.3)
    light = light * (
        1 - rng.uniform(0, 0.6) * np.exp(-(_ellipse(x, y, shadow, (radius, radius)) ** 2))
    )
    tint = np.array([0.9, 0.95, 1.15], np.float32)[:, None, None]
    picture = np.asarray(picture * tint * light, np.float32)
    sigma = rng.uniform(0.0, 0.005) * size
    picture = np.asarray([_blur(np.clip(c, 0, 1), sigma) for c in picture], np.float32)
    # Flare: a bright crescent at one side of the field.
    angle = rng.uniform(0, 2 * math.pi)
    centre = (0.5 + 0.62 * math.cos(angle), 0.5 + 0.62 * math.sin(angle))
    flare = np.exp(-(_ellipse(x, y, centre, (0.22, 0.22)) ** 2)) * rng.uniform(0, 0.6)
    veil = np.array([0.62, 0.60, 0.52], np.float32)[:, None, None]
    cover = np.clip(rng.uniform(0, 0.3) + flare, 0, 0.9)
    picture = np.asarray(picture * (1 - cover) + veil * cover, np.float32)
    return np.asarray(
        picture ** rng.uniform(0.85, 1.2) + rng.normal(0, 0.01, picture.shape), np.float32
    )
