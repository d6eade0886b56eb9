"""Contact sheets: photographs side by side in one picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

GAP = 4
"""Pixels between the photographs of a sheet."""


def sheet(rows: Sequence[Sequence[Tensor]]) -> Image.Image:
    """Return a contact sheet.

    Args:
        rows: Photographs `(3, S, S)` in [0, 1], all of one size, equally many in each row.
    """
    lines = [
        torch.cat([torch.nn.functional.pad(p.float().cpu(), (0, GAP, 0, GAP)) for p in row], dim=2)
        for row in rows
    ]
    whole = (torch.cat(lines, dim=1)[:, :-GAP, :-GAP].clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(whole.permute(1, 2, 0).contiguous().numpy())
