"""JPEG: block artefacts and chroma bleeding of strong compression."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.frame import Frame

RED, GREEN, BLUE = 0.299, 0.587, 0.114
"""Luma weights (ITU-R BT.601) of JFIF's colour space."""

BLOCK = 8
MIDDLE = 128 / 255

LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Luminance quantisation table, quality 50 (ITU-T T.81, table K.1)."""

CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
"""Chrominance quantisation table, quality 50 (ITU-T T.81, table K.2)."""


class Jpeg(Factor):
    """JPEG compression as in libjpeg, with 4:2:0 chroma subsampling.

    Quality is 15 to 40 at severity 1 and 95 at severity 0. Blocks are 8 pixels of the given
    photograph, so this factor depends on its size. kornia's codec is not used: its rounding is
    differentiable and keeps more detail, so that it is further from libjpeg.
    """

    parameters: ClassVar = {
        "quality": Parameter("quality as in libjpeg", 1, 100),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw the quality, an integer from 1 to 100."""
        return {"quality": (95 - severity * rng.uniform("loss", 55.0, 80.0)).round()}

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Compress and decompress photographs."""
        height, width = frame.size
        margin = (0, -width % (2 * BLOCK), 0, -height % (2 * BLOCK))
        red, green, blue = functional.pad(image, margin, mode="replicate").chunk(3, dim=1)
        grey = red * RED + green * GREEN + blue * BLUE
        colour = torch.cat([(blue - grey) / (2 - 2 * BLUE), (red - grey) / (2 - 2 * RED)], dim=1)
        quality = values["quality"]
        grey = _quantised(grey - MIDDLE, LUMINANCE, quality) + MIDDLE
        colour = _quantised(functional.avg_pool2d(colour, 2), CHROMINANCE, quality)
        colour = functional.interpolate(colour, scale_factor=2, mode="bilinear")
        red = grey + (2 - 2 * RED) * colour[:, 1:]
        blue = grey + (2 - 2 * BLUE) * colour[:, :1]
        green = (grey - red * RED - blue * BLUE) / GREEN
        return torch.cat([red, green, blue], dim=1)[..., :height, :width].clamp(0.0, 1.0)


def _quantised(plane: Tensor, table: tuple[tuple[int, ...], ...], quality: Tensor) -> Tensor:
    """Return planes `(B, C, H, W)` after quantisation of their blocks' cosine transforms."""
    size = plane.shape
    index = torch.arange(BLOCK, device=plane.device)
    cosine = torch.cos(math.pi * (2 * index[None, :] + 1) * index[:, None] / (2 * BLOCK)) / 2
    cosine[0] /= math.sqrt(2)
    # libjpeg scales the tables by an integer percentage
    percent = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    base = torch.tensor(table, device=plane.device, dtype=torch.float32)
    steps = ((base * percent[:, None, None] + 50) / 100).floor().clamp(1, 255) / 255
    steps = steps[:, None, None, :, None, :]
    by_rows = (*size[:2], size[2] // BLOCK, BLOCK, size[3])
    by_blocks = (*by_rows[:-1], size[3] // BLOCK, BLOCK)
    bands = cosine @ plane.reshape(by_rows)
    bands = bands.view(by_blocks) @ cosine.mT
    bands = bands.div_(steps).round_().mul_(steps) @ cosine
    return (cosine.mT @ bands.view(by_rows)).view(size)
