"""Grid of pictures, with a title above each column."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from experiments.studies.interval_plot import TEXT
from magenet.imaging.crop import at_side

TILE, GAP, HEAD = 300, 6, 26
"""Side of one picture, space between two, height of the titles, in pixels."""


def tile(image: Tensor, side: int = TILE) -> Image.Image:
    """Return a photograph `(1, 3, S, S)` in [0, 1] as a picture of a grid."""
    levels = (255 * at_side(image.clamp(0.0, 1.0), side)).round().to(torch.uint8)
    return Image.fromarray(levels[0].permute(1, 2, 0).numpy())


def picture_grid(
    titles: Sequence[str], rows: Sequence[Sequence[Image.Image]], gap: int = GAP
) -> Image.Image:
    """Return pictures in rows and columns.

    Args:
        titles: One for each column.
        rows: Pictures of one size, as many a row as there are titles.
        gap: Space between two, in pixels.
    """
    side = rows[0][0].width
    size = len(titles) * (side + gap) - gap, HEAD + len(rows) * (side + gap) - gap
    grid = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(grid), ImageFont.load_default(15)
    for column, title in enumerate(titles):
        pen.text((column * (side + gap) + 4, 4), title, TEXT, font)
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            grid.paste(picture, (column * (side + gap), HEAD + row * (side + gap)))
    return grid
