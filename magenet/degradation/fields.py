"""Smooth fields of light, drawn on a coarse grid: their cost does not depend on blur width."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

REFERENCE_SIDE = 512
"""Side of the square, in pixels, that all of cofe-Net's lengths refer to."""

GRID = 128
"""Cells of the coarse grid along a side: 4 reference pixels each, finer than any field drawn."""

CELL = REFERENCE_SIDE / GRID


def per_sample(values: Tensor) -> Tensor:
    """Return one number a sample, `(B,)`, as `(B, 1, 1, 1)`."""
    return values[:, None, None, None]


def odd(size: Tensor) -> Tensor:
    """Return whole sizes, raised to the next odd number."""
    whole = size.floor()
    return whole + (whole % 2 == 0)


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


def smoothed(field: Tensor, sigma_x: Tensor, sigma_y: Tensor) -> Tensor:
    """Return fields after a wide Gaussian blur; what lies beyond the border counts as 0.

    Args:
        field: `(B, C, GRID, GRID)`.
        sigma_x: Along a row, `(B,)` cells.
        sigma_y: Along a column, `(B,)` cells.
    """
    place = torch.arange(GRID, device=field.device)
    squared = (place[:, None] - place[None, :]).square()
    along_y = torch.exp(-0.5 * squared / sigma_y[:, None, None].square())[:, None]
    along_x = torch.exp(-0.5 * squared / sigma_x[:, None, None].square())[:, None]
    total = 2 * math.pi * sigma_x * sigma_y
    return along_y @ field @ along_x / per_sample(total)


def enlarge(field: Tensor, height: int, width: int) -> Tensor:
    """Return `(B, C, height, width)` from fields on the coarse grid, `(B, [C,] GRID, GRID)`."""
    return functional.interpolate(
        field if field.ndim == 4 else field[:, None],
        size=(height, width),
        mode="bilinear",
        align_corners=False,
        antialias=min(height, width) < GRID,
    )


def soft_discs(
    size: tuple[int, int],
    x: Tensor,
    y: Tensor,
    radius: Tensor,
    edge: Tensor,
    strength: Tensor,
    widest: float,
) -> Tensor:
    """Return small discs with soft edges, summed: only the pixels around each are worked on.

    Args:
        size: Height and width of the photographs.
        x: Centres, `(B, k)` pixels from the left edge of the frame.
        y: Centres, `(B, k)` pixels from its upper edge.
        radius: Where a disc has half its strength, `(B, k)` pixels.
        edge: Width of the ramp around it, `(B, k)` pixels; at least one is used.
        strength: Height of each disc, `(B, k)`.
        widest: Greatest diameter with its edge, in pixels; further out nothing is drawn.

    Returns:
        `(B, 1, H, W)`.
    """
    height, width = size
    side = int(widest) + 2
    patch = torch.arange(side, device=x.device)
    columns = (x - side / 2).round().long()[..., None] + patch  # (B, k, side)
    rows = (y - side / 2).round().long()[..., None] + patch
    squared_x = (columns + 0.5 - x[..., None]).square()[:, :, None, :]
    squared_y = (rows + 0.5 - y[..., None]).square()[:, :, :, None]
    distance = (squared_x + squared_y).sqrt_()
    ramp = (radius[..., None, None] - distance) / edge.clamp(min=1.0)[..., None, None] + 0.5
    value = ramp.clamp_(0.0, 1.0) * strength[..., None, None]
    value = value * ((columns >= 0) & (columns < width))[:, :, None, :]
    value = value * ((rows >= 0) & (rows < height))[:, :, :, None]
    place = (
        rows.clamp(0, height - 1)[..., None] * width + columns.clamp(0, width - 1)[:, :, None, :]
    )
    light = value.new_zeros(len(x), height * width)
    return light.scatter_add_(1, place.flatten(1), value.flatten(1)).view(-1, 1, height, width)
