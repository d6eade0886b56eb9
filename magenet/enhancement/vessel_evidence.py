"""Evidence of blood vessels: a connected tree whose lines have the colour of blood."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from magenet.metrics.masks import dilate
from magenet.metrics.skeleton import longest_line

LEAST_LENGTH = 0.2
"""Longest connected vessel, in widths of the square around the field, below which too few vessels
can be seen to judge a result by them (our choice: of 55 good and usable val photographs the least
is 0.21; drawn textures, landscapes and discs have 0.12 at most, but faces, outer eyes and a
basketball more)."""

LEAST_COLOUR = 0.02
"""Least difference of the log contrasts in green and red (our choice: of the same 55 photographs
the least is 0.06; grey pictures have 0, the basketball less; an outer eye, which has vessels, 0.07
and more: the field of view and the fundus check must tell it)."""


class VesselEvidence(NamedTuple):
    """What makes segmented lines blood vessels.

    Attributes:
        length: Length of the longest connected line, in widths of the image.
        colour: How much more the lines darken green than red: difference of the natural logarithms
            of the surround's brightness over that of the lines; NaN without lines. Positive for
            vessels, since blood absorbs green light far more than red; 0 in grey pictures.
    """

    length: float
    colour: float


def vessel_evidence(image: Tensor, vessels: Tensor, mask: Tensor) -> VesselEvidence:
    """Return the evidence that the vessels found in a photograph are vessels.

    Args:
        image: `(1, 3, S, S)` in [0, 1].
        vessels: Vessels found in it, `(1, 1, S, S)`; vessel where at least 0.5.
        mask: Field of view, `(1, 1, S, S)`, 0 or 1.
    """
    side = image.shape[-1]
    lines = (vessels >= 0.5) & (mask > 0)
    # Not the pixels beside a line, which are neither vessel nor surround.
    near, far = dilate(lines, max(1, side // 256)), dilate(lines, max(2, side // 73))
    surround = far & ~near & (mask > 0)
    around, inside = (_mean_colour(image, where) for where in (surround, lines))
    contrast = (around / inside).log()
    return VesselEvidence(float(longest_line(lines)[0]) / side, float(contrast[1] - contrast[0]))


def _mean_colour(image: Tensor, where: Tensor) -> Tensor:
    """Return the mean colour where a mask is set, `(3,)`, at least 0.001; NaN for an empty mask."""
    mean: Tensor = (image * where).sum(dim=(0, 2, 3)).double() / where.sum()
    return torch.where(mean.isnan(), mean, mean.clamp(min=1e-3))
