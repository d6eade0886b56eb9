"""Contact sheets: photographs side by side in one picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw
from torch import Tensor

GAP = 4
"""Pixels between the photographs of a sheet."""


def sheet(
    rows: Sequence[Sequence[Tensor]], names: Sequence[str] = (), columns: Sequence[str] = ()
) -> Image.Image:
    """Return a contact sheet.

    Args:
        rows: Photographs `(3, S, S)` in [0, 1], all of one size, equally many in each row.
        names: What to write into the lower left corner of each row, which is black in a photograph
            of a fundus; nothing if empty.
        columns: What to write into the upper left corner of each column, likewise.
    """
    lines = [
        torch.cat([torch.nn.functional.pad(p.float().cpu(), (0, GAP, 0, GAP)) for p in row], dim=2)
        for row in rows
    ]
    whole = (torch.cat(lines, dim=1)[:, :-GAP, :-GAP].clamp(0, 1) * 255).round().to(torch.uint8)
    picture = Image.fromarray(whole.permute(1, 2, 0).contiguous().numpy())
    draw, side = ImageDraw.Draw(picture), rows[0][0].shape[-1]
    for index, name in enumerate(names):
        draw.text((2, index * (side + GAP) + side - 2), name, fill="white", anchor="lb")
    for index, column in enumerate(columns):
        draw.text((index * (side + GAP) + 2, 2), column, fill="white", anchor="lt")
    return picture
