"""How much of the retina a degraded photograph still shows, place by place."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from magenet.degradation.factor import Parameters, Part
from magenet.degradation.pipeline import Degradation

SIDE = 256
"""Side at which information is measured, in pixels."""

CELL = 4
"""Side of the cells of the pattern, in pixels of :data:`SIDE`: about as wide as a vessel."""

DEPTH = 0.1
"""Depth of the pattern, fraction of linear light: about the contrast of a small vessel."""

QUANTISATION = 1 / 255 / math.sqrt(12.0)
"""Standard deviation of rounding to 8 bits."""

WHITE = 0.98
"""Pixel value from which a place is clipped, if all of its colours reach it (our choice). The
pattern is compared over two cells: beside a burnt-out place some of it would show inside."""

CLUMP = (4 + 16 + 64) / 3
"""Pixels of the photograph that share their grain, mean of its octaves."""

NOISY = ("noise", "grain", "jpeg")
"""Factors that add noise: what they do to the pattern is not a contrast."""


def information(
    degradation: Degradation, clean: Tensor, mask: Tensor, parameters: Parameters
) -> Tensor:
    """Return how much of the retina is left, `(B, 1, SIDE, SIDE)` in [0, 1].

    A faint pattern as wide as vessels is drawn on the clean photograph, degraded with it, and
    measured in the result: where its contrast c is well above the noise s, the photograph still
    shows the retina; c^2 / (c^2 + s^2) is 1 there, and 0 where light is clipped or drowned.

    Args:
        degradation: The recipe.
        clean: Clean photographs, `(B, 3, H, W)` in [0, 1].
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.
        parameters: Parameters of the same batch.
    """
    small = functional.interpolate(clean, (SIDE, SIDE), mode="bilinear", antialias=True)
    inside = functional.interpolate(mask, (SIDE, SIDE), mode="nearest")
    small = small.clamp(0.0, 1.0) * inside
    quiet = Parameters(
        parameters.size,
        {
            name: part
            for name, part in parameters.parts.items()
            if name.rpartition(".")[2] not in NOISY
        },
    )
    axis = torch.arange(SIDE, device=clean.device) // CELL % 2
    pattern = (2.0 * ((axis[:, None] + axis) % 2) - 1)[None, None]
    level = degradation.apply(small, inside, quiet)
    drawn = (small.square() * (1 + DEPTH * pattern)).clamp(0.0, 1.0).sqrt() * inside
    change = degradation.apply(drawn, inside, quiet) - level
    # The pattern averages to 0 over two cells, and so does what it does not reach.
    contrast = functional.avg_pool2d(
        functional.pad(change * pattern, (CELL,) * 4, mode="replicate"), 2 * CELL + 1, 1
    ).abs()
    noise = _noise(parameters, level, clean.shape[-1])
    share = (contrast.square() / (contrast.square() + noise.square())).amax(dim=1, keepdim=True)
    return share * inside * (level.amin(dim=1, keepdim=True) < WHITE)


def _noise(parameters: Parameters, level: Tensor, side: int) -> Tensor:
    """Return the standard deviation of the noise of a cell's mean, `(B, 3, SIDE, SIDE)`.

    Args:
        parameters: Of the batch.
        level: Degraded photographs without noise, `(B, 3, SIDE, SIDE)`.
        side: Side of the photographs that the noise was drawn for, in pixels.
    """
    variance = torch.full_like(level, QUANTISATION**2)
    for name, part in parameters.parts.items():
        if name.rpartition(".")[2] == "noise":
            light = level[part.samples].square()
            variance[part.samples] += _of_light(part, light) * (side / 512) ** 2
        elif name.rpartition(".")[2] == "grain":
            sigma = part.values["sigma"].to(variance.device)[:, None, None, None]
            variance[part.samples] += CLUMP * sigma.square()
    pixels = (CELL * side / SIDE) ** 2
    return (variance / pixels).sqrt()


def _of_light(part: Part, light: Tensor) -> Tensor:
    """Return the variance of pixel values by shot and read noise; see the factor `Noise`."""
    shot, read = (
        part.values[name].to(light.device)[:, None, None, None] for name in ("shot", "read")
    )
    # A square root turns a deviation d of the light into d / (2 sqrt(light)).
    return (shot * light + read.square()) / (4 * light.clamp(min=1e-4))
