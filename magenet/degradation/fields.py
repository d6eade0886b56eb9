"""Smooth fields of light, drawn on a coarse grid: their cost does not depend on blur width."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

REFERENCE_SIDE = 512
"""Side of the square, in pixels, that all of cofe-Net's lengths refer to."""

GRID = 128
"""Cells of the coarse grid along a side: 4 reference pixels each, finer than any field drawn."""

CELL = REFERENCE_SIDE / GRID


def disc(centre_x: Tensor, centre_y: Tensor, diameter: Tensor) -> Tensor:
    """Return discs on the coarse grid, `(B, GRID, GRID)` in [0, 1], with an edge of one cell.

    Args:
        centre_x: Column, `(B,)` reference pixels.
        centre_y: Row, `(B,)` reference pixels.
        diameter: `(B,)` reference pixels.
    """
    axis = (torch.arange(GRID, device=centre_x.device) + 0.5) * CELL - 0.5
    rows = (axis[None, :] - centre_y[:, None]).square()[:, :, None]
    columns = (axis[None, :] - centre_x[:, None]).square()[:, None, :]
    distance = (rows + columns).sqrt()
    return ((diameter[:, None, None] / 2 - distance) / CELL + 0.5).clamp(0.0, 1.0)


def truncated_gaussian(kernel: Tensor, sigma: Tensor, offsets: Tensor, cell: float) -> Tensor:
    """Return the weights of a Gaussian cut off at a kernel size, on a grid of any pitch.

    At `cell` 1 and odd kernels these are OpenCV's weights. At another pitch a cell at the cut
    counts by the share of it that lies inside, so that widths need not be whole cells.

    Args:
        kernel: Kernel size, `(B,)` reference pixels.
        sigma: Standard deviation, `(B,)` reference pixels.
        offsets: Distances in cells, `(n,)`.
        cell: Reference pixels per cell.

    Returns:
        `(B, n)`, not normalised.
    """
    distance = offsets.abs() * cell
    inside = ((kernel[:, None] / 2 - distance) / cell + 0.5).clamp(0.0, 1.0)
    return inside * torch.exp(-0.5 * (distance / sigma[:, None]).square())


def _blur_matrix(kernel: Tensor, sigma: Tensor) -> Tensor:
    """Return `(B, GRID, GRID)` matrices that blur along one axis, mirrored at the border."""
    place = torch.arange(GRID, device=kernel.device)
    wide = torch.arange(-GRID, 2 * GRID, device=kernel.device)
    offsets = torch.arange(-2 * GRID, 2 * GRID + 1, device=kernel.device)
    weights = truncated_gaussian(kernel, sigma, offsets.float(), CELL)
    rows = weights[:, (wide[None, :] - place[:, None]) + 2 * GRID]  # (B, GRID, 3 GRID)
    folded = rows[..., GRID : 2 * GRID] + rows[..., :GRID].flip(-1) + rows[..., 2 * GRID :].flip(-1)
    return folded / folded.sum(dim=-1, keepdim=True)


def blurred(field: Tensor, kernel_x: Tensor, kernel_y: Tensor, sigma: Tensor) -> Tensor:
    """Return fields after a separable truncated Gaussian blur, as two matrix products.

    Args:
        field: `(B, GRID, GRID)`.
        kernel_x: Kernel size along a row, `(B,)` reference pixels.
        kernel_y: Kernel size along a column, `(B,)` reference pixels.
        sigma: Standard deviation, `(B,)` reference pixels.
    """
    along_rows = _blur_matrix(kernel_x, sigma).transpose(1, 2)
    return _blur_matrix(kernel_y, sigma) @ field @ along_rows


def enlarge(field: Tensor, height: int, width: int) -> Tensor:
    """Return `(B, 1, height, width)` from a field on the coarse grid."""
    return functional.interpolate(
        field[:, None],
        size=(height, width),
        mode="bilinear",
        align_corners=False,
        antialias=min(height, width) < GRID,
    )
