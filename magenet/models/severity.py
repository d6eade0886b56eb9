"""A small network that tells how far a photograph is from a clean one, block by block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from magenet.models.grader import relative_detail
from magenet.models.pyramid import GREEN, bands

BLOCK = 32
"""Side of the blocks, in pixels of the photograph."""

LEAST_ERROR = 1 / 510
"""Error that counts as none, in [0, 1]: half a grey level, lost by rounding."""

CLEAN = 2.0 * math.log(LEAST_ERROR)
"""Severity of a clean photograph: the logarithms of its errors in light and detail."""

LEAST_SHARE = 0.5
"""Least share of a block that lies in the field (our choice)."""


class SeverityRegressor(nn.Module):
    """Regression of a photograph's error in light and in detail, block by block.

    It sees green alone, so that no colour is better than another to it. Light and detail are told
    apart, and by their logarithms, since the error of a blur is a tenth of that of a shadow.

    Args:
        widths: Channels at 1/2, 1/4, 1/8, 1/16, 1/32 of the resolution.

    Raises:
        ValueError: If there are not five widths.

    Example:
        >>> SeverityRegressor(widths=(8, 8, 8, 8, 8))(torch.rand(2, 3, 70, 96)).shape
        torch.Size([2, 2, 3, 3])
    """

    def __init__(self, widths: Sequence[int] = (16, 32, 48, 64, 64)) -> None:
        super().__init__()
        if len(widths) != round(math.log2(BLOCK)):
            raise ValueError(f"blocks of {BLOCK} px need {math.log2(BLOCK):.0f} widths: {widths}")
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, width, 3, stride=2, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, width, 3, padding=1),
                nn.ReLU(inplace=True),
            )
            for before, width in pairwise((2, *widths))
        )
        self.head = nn.Conv2d(2 * widths[-1], 2, 1)
        nn.init.constant_(self.head.bias, math.log(0.03))  # type: ignore[arg-type]  # a usual error

    def forward(self, image: Tensor) -> Tensor:
        """Return logarithms of the mean errors of light and of detail, `(B, 2, H/32, W/32)`.

        Args:
            image: Photographs, `(B, 3, H, W)` in [0, 1], black outside the field; sides of blocks
                are rounded up.
        """
        green = image[:, GREEN]
        features = torch.cat([green, relative_detail(green)], dim=1)
        for level in self.levels:
            features = level(features)
        whole = features.mean(dim=(2, 3), keepdim=True).expand_as(features)
        logarithms: Tensor = self.head(torch.cat([features, whole], dim=1))
        return logarithms.float()


def block_errors(image: Tensor, clean: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return what a :class:`SeverityRegressor` should tell, and of which blocks.

    Args:
        image: Photographs, `(B, 3, H, W)` in [0, 1].
        clean: The same without degradation.
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.

    Returns:
        Logarithms of the mean absolute errors of green, wider than 16 px (light) and narrower
        (detail), `(B, 2, H/32, W/32)`; and the blocks that count, see :func:`known_blocks`.
    """
    *fine, light = bands((image - clean)[:, GREEN] * mask, 4)  # light: at 1/16
    parts = [functional.avg_pool2d(light.abs(), BLOCK // 16, ceil_mode=True)]
    size = parts[0].shape[-2:]
    detail = [
        functional.avg_pool2d(band.abs(), BLOCK // 2**level, ceil_mode=True)[
            ..., : size[0], : size[1]
        ]
        for level, band in enumerate(fine)
    ]
    parts.append(torch.stack(detail).sum(dim=0))
    share = functional.avg_pool2d(mask, BLOCK, ceil_mode=True)
    errors = torch.cat(parts, dim=1) / share.clamp(min=LEAST_SHARE)
    return (errors + LEAST_ERROR).log(), known_blocks(mask)


def known_blocks(mask: Tensor) -> Tensor:
    """Return the blocks that count, `(B, 1, H/32, W/32)`, 0 or 1: at least half in the field.

    Args:
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.
    """
    return (functional.avg_pool2d(mask, BLOCK, ceil_mode=True) >= LEAST_SHARE).to(mask.dtype)


def severity(logarithms: Tensor, mask: Tensor) -> Tensor:
    """Return one number for each photograph, `(B,)`: light and detail weigh the same.

    Args:
        logarithms: See :meth:`SeverityRegressor.forward`.
        mask: Field of view of the photographs, `(B, 1, H, W)`, 0 or 1.
    """
    known = known_blocks(mask)
    area = known.sum(dim=(1, 2, 3)).clamp(min=1.0)
    return (logarithms * known).sum(dim=(1, 2, 3)) / area
