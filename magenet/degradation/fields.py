"""Smooth fields of light on a coarse grid, so that the cost does not depend on blur width."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

REFERENCE_SIDE = 512
"""Side of the square, in pixels, to which all lengths of cofe-Net refer."""

GRID = 128
"""Cells of the coarse grid per side: 4 reference pixels each, finer than any field drawn."""

CELL = REFERENCE_SIDE / GRID


def per_sample(values: Tensor) -> Tensor:
    """Return one number per sample, `(B,)`, as `(B, 1, 1, 1)`."""
    return values[:, None, None, None]


def odd(size: Tensor) -> Tensor:
    """Return sizes rounded down to integers, even ones raised to the next odd integer."""
    integer = size.floor()
    return integer + (integer % 2 == 0)


def disc(centre_x: Tensor, centre_y: Tensor, diameter: Tensor) -> Tensor:
    """Return discs on the coarse grid, `(B, GRID, GRID)` in [0, 1], with an edge one cell wide.

    Args:
        centre_x: Column of the centre, `(B,)` reference pixels.
        centre_y: Row of the centre, `(B,)` reference pixels.
        diameter: `(B,)` reference pixels.
    """
    axis = (torch.arange(GRID, device=centre_x.device) + 0.5) * CELL - 0.5
    rows = (axis[None, :] - centre_y[:, None]).square()[:, :, None]
    columns = (axis[None, :] - centre_x[:, None]).square()[:, None, :]
    distance = (rows + columns).sqrt()
    return ((diameter[:, None, None] / 2 - distance) / CELL + 0.5).clamp(0.0, 1.0)


def truncated_gaussian(kernel: Tensor, sigma: Tensor, offsets: Tensor, cell: float) -> Tensor:
    """Return the weights of a Gaussian truncated at a kernel size, on a grid of any pitch.

    At `cell` 1 and odd kernels these are OpenCV's weights. At another pitch a cell at the cut is
    weighted by the fraction of it inside the kernel, so that widths need not be whole cells.

    Args:
        kernel: Kernel size, `(B,)` reference pixels.
        sigma: Standard deviation, `(B,)` reference pixels.
        offsets: Offsets from the centre in cells, `(n,)`.
        cell: Reference pixels per cell.

    Returns:
        `(B, n)`, not normalised.
    """
    distance = offsets.abs() * cell
    inside = ((kernel[:, None] / 2 - distance) / cell + 0.5).clamp(0.0, 1.0)
    return inside * torch.exp(-0.5 * (distance / sigma[:, None]).square())


def _blur_matrix(kernel: Tensor, sigma: Tensor) -> Tensor:
    """Return the matrices of a blur along one axis, `(B, GRID, GRID)`, mirrored at the border."""
    output = torch.arange(GRID, device=kernel.device)
    padded = torch.arange(-GRID, 2 * GRID, device=kernel.device)
    offsets = torch.arange(-2 * GRID, 2 * GRID + 1, device=kernel.device)
    weights = truncated_gaussian(kernel, sigma, offsets.float(), CELL)
    rows = weights[:, (padded[None, :] - output[:, None]) + 2 * GRID]  # (B, GRID, 3 GRID)
    folded = rows[..., GRID : 2 * GRID] + rows[..., :GRID].flip(-1) + rows[..., 2 * GRID :].flip(-1)
    return folded / folded.sum(dim=-1, keepdim=True)


def blurred(field: Tensor, kernel_x: Tensor, kernel_y: Tensor, sigma: Tensor) -> Tensor:
    """Return fields after a separable truncated Gaussian blur, computed as two matrix products.

    Args:
        field: `(B, GRID, GRID)`.
        kernel_x: Kernel size along rows, `(B,)` reference pixels.
        kernel_y: Kernel size along columns, `(B,)` reference pixels.
        sigma: Standard deviation, `(B,)` reference pixels.
    """
    along_rows = _blur_matrix(kernel_x, sigma).transpose(1, 2)
    return _blur_matrix(kernel_y, sigma) @ field @ along_rows


def smoothed(field: Tensor, sigma_x: Tensor, sigma_y: Tensor) -> Tensor:
    """Return fields after a wide Gaussian blur with zero padding.

    Args:
        field: `(B, C, GRID, GRID)`.
        sigma_x: Standard deviation along rows, `(B,)` cells.
        sigma_y: Standard deviation along columns, `(B,)` cells.
    """
    cell = torch.arange(GRID, device=field.device)
    squared = (cell[:, None] - cell[None, :]).square()
    along_y = torch.exp(-0.5 * squared / sigma_y[:, None, None].square())[:, None]
    along_x = torch.exp(-0.5 * squared / sigma_x[:, None, None].square())[:, None]
    total = 2 * math.pi * sigma_x * sigma_y
    return along_y @ field @ along_x / per_sample(total)


def enlarge(field: Tensor, height: int, width: int) -> Tensor:
    """Resize fields on the coarse grid, `(B, [C,] GRID, GRID)`, to `(B, C, height, width)`."""
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
    """Return the sum of small discs with soft edges; only the pixels around each are computed.

    Args:
        size: Height and width of the photographs.
        x: Columns of the centres, `(B, k)` pixels from the left edge of the frame.
        y: Rows of the centres, `(B, k)` pixels from the upper edge.
        radius: Radius at half the strength, `(B, k)` pixels.
        edge: Width of the ramp at that radius, `(B, k)` pixels; at least 1 is used.
        strength: Value inside each disc, `(B, k)`.
        widest: Largest diameter including the edge, in pixels; nothing is drawn beyond it.

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
    pixel = (
        rows.clamp(0, height - 1)[..., None] * width + columns.clamp(0, width - 1)[:, :, None, :]
    )
    light = value.new_zeros(len(x), height * width)
    return light.scatter_add_(1, pixel.flatten(1), value.flatten(1)).view(-1, 1, height, width)
