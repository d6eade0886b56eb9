"""The vessel tree of a phantom: arteries and veins that branch by Murray's law."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Point = tuple[float, float]

TRUNK_RADIUS = 0.0058
"""Radius of a vein where it leaves the disc, over the field's diameter (about 150 um wide)."""

THINNEST_RADIUS = 0.0011
"""Radius below which a vessel is no longer drawn, over the field's diameter."""

STEP = 0.014
"""Length of a segment of a centre line, over the field's diameter."""

BEND = 0.05
"""Curvature of a temporal trunk around the fovea, in radians per step."""

ARTERY_TO_VEIN = 0.75
"""Ratio of an artery's calibre to its vein's."""


@dataclass(frozen=True)
class Vessel:
    """Segment of a vessel between two branchings, in units of the field's diameter.

    Attributes:
        points: Centre line.
        start_radius: Radius at the first point.
        end_radius: Radius at the last point.
        artery: Whether it is an artery.
    """

    points: list[Point]
    start_radius: float
    end_radius: float
    artery: bool


def grow_vessels(
    rng: np.random.Generator, disc: Point, fovea: Point, start_radius: float = TRUNK_RADIUS
) -> list[Vessel]:
    """Grow the tree of arteries and veins from the disc.

    At each branching the calibres obey Murray's law (PNAS 1926): the cube of the parent's radius is
    the sum of the cubes of the children's. Trunks arch around the fovea; no vessel enters its
    centre.

    Args:
        rng: Source of all random numbers.
        disc: Centre of the disc, `(x, y)` in units of the field's diameter.
        fovea: Centre of the fovea.
        start_radius: Radius of a vein at the disc.
    """
    side = 1.0 if fovea[0] > disc[0] else -1.0  # temporal direction
    tree = _Tree(rng, fovea)
    for artery in (False, True):
        calibre = start_radius * (ARTERY_TO_VEIN if artery else 1.0)
        for up in (-1.0, 1.0):
            for temporal in (True, False):
                angle = math.radians(rng.uniform(50, 75) if temporal else rng.uniform(105, 150))
                angle += math.radians(rng.uniform(-14, 14)) * (1.0 if artery else 0.4)
                heading = math.atan2(up * math.sin(angle), side * math.cos(angle))
                offset = rng.normal(0, 0.006, 2)
                start = (disc[0] + float(offset[0]), disc[1] + float(offset[1]))
                radius = calibre * rng.uniform(0.85, 1.1) * (1.0 if temporal else 0.8)
                tree.grow(start, heading, radius, artery, BEND * -side * up if temporal else 0.0)
    return tree.vessels


class _Tree:
    """Vessels collected while the tree grows.

    Args:
        rng: Source of all random numbers.
        fovea: Centre of the fovea, which vessels avoid.
    """

    def __init__(self, rng: np.random.Generator, fovea: Point) -> None:
        self.rng = rng
        self.fovea = fovea
        self.vessels: list[Vessel] = []

    def grow(
        self,
        start: Point,
        heading: float,
        radius: float,
        artery: bool,
        bend: float,
        depth: int = 0,
    ) -> None:
        """Grow one vessel until it branches, ends or leaves the field; then its children.

        Args:
            start: First point.
            heading: Direction at the first point, in radians.
            radius: Radius at the first point.
            artery: Whether it is an artery.
            bend: Curvature of a trunk around the fovea, in radians per step; 0 for other vessels.
            depth: Number of branchings since the disc.
        """
        rng = self.rng
        if radius < THINNEST_RADIUS or depth > 9:
            return
        length = rng.uniform(0.05, 0.13) * (1.25 if depth == 0 else 1.0)
        points = [start]
        x, y = start
        wander = 0.0
        for _ in range(max(2, round(length / STEP))):
            wander = 0.7 * wander + rng.normal(0, 0.10)
            heading += wander * 0.5 + bend
            dx, dy = x - self.fovea[0], y - self.fovea[1]
            if math.hypot(dx, dy) < 0.15 and radius > 1.6 * THINNEST_RADIUS:
                heading += 0.5 * math.sin(math.atan2(dy, dx) - heading)
            x, y = x + STEP * math.cos(heading), y + STEP * math.sin(heading)
            points.append((x, y))
            to_fovea = math.hypot(x - self.fovea[0], y - self.fovea[1])
            if math.hypot(x - 0.5, y - 0.5) > 0.52 or to_fovea < 0.035:
                self.vessels.append(Vessel(points, radius, radius * 0.9, artery))
                return
        end = radius * 0.96
        self.vessels.append(Vessel(points, radius, end, artery))
        # Murray: r^3 = a^3 + b^3; the larger child continues nearly straight.
        share = rng.uniform(0.62, 0.93)
        larger, smaller = ((part * end**3) ** (1 / 3) for part in (share, 1 - share))
        side = 1.0 if rng.random() < 0.5 else -1.0
        straight = heading - side * rng.uniform(0.02, 0.18)
        self.grow((x, y), straight, larger, artery, bend if depth < 4 else 0.0, depth + 1)
        aside = heading + side * rng.uniform(0.55, 1.15)
        self.grow((x, y), aside, smaller, artery, 0.0, depth + 1)
