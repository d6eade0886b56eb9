"""Position and size of the field of view in the frame of a batch of photographs."""

from __future__ import annotations

import torch
from torch import Tensor


class Frame:
    """Field-of-view masks of a batch, with the centre and diameter of each field in pixels.

    The diameter is the longer side of the bounding box: cameras that truncate the circle do so at
    the top and bottom.

    Args:
        mask: Field of view, float `(B, 1, H, W)`, 0 or 1, none empty.

    Attributes:
        mask: As given.
        centre_x: Column of the bounding box's centre, `(B,)` pixels from the frame's left edge.
        centre_y: Row of the bounding box's centre, `(B,)` pixels from the frame's upper edge.
        diameter: `(B,)` pixels.
    """

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask
        left, right = _ends(mask.amax(dim=(1, 2)))
        top, bottom = _ends(mask.amax(dim=(1, 3)))
        self.centre_x, self.centre_y = (left + right) / 2, (top + bottom) / 2
        self.diameter = torch.maximum(right - left, bottom - top)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.mask.shape[-2], self.mask.shape[-1]

    def select(self, samples: Tensor) -> Frame:
        """Return the frame of a subset of the samples, given by their indices, int64 `(n,)`."""
        selected = Frame.__new__(Frame)
        selected.mask = self.mask[samples]
        selected.centre_x, selected.centre_y = self.centre_x[samples], self.centre_y[samples]
        selected.diameter = self.diameter[samples]
        return selected

    def axes(self, cells: int) -> tuple[Tensor, Tensor]:
        """Return the coordinates of a grid's cells, in field diameters from the field's centre.

        Args:
            cells: Number of cells along each side of the frame.

        Returns:
            x as `(B, 1, cells)` and y as `(B, cells, 1)`; the field's edge is at distance 0.5.
        """
        height, width = self.size
        centre = (torch.arange(cells, device=self.mask.device) + 0.5) / cells
        x = (centre * width - self.centre_x[:, None]) / self.diameter[:, None]
        y = (centre * height - self.centre_y[:, None]) / self.diameter[:, None]
        return x[:, None, :], y[:, :, None]

    def distance(self, cells: int, x: Tensor, y: Tensor) -> Tensor:
        """Return the distance of a grid's cells from a point, `(B, cells, cells)` diameters.

        Args:
            cells: See :meth:`axes`.
            x: Point of each sample, `(B,)` field diameters right of the field's centre.
            y: Point of each sample, `(B,)` field diameters below the field's centre.
        """
        columns, rows = self.axes(cells)
        across, down = columns - x[:, None, None], rows - y[:, None, None]
        return (across.square() + down.square()).sqrt_()


def _ends(inside: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first and one past the last index of the ones in each row of `(B, n)`."""
    count = inside.shape[1]
    index = torch.arange(count, device=inside.device)
    start = torch.where(inside > 0, index, count).amin(dim=1)
    stop = torch.where(inside > 0, index + 1, 0).amax(dim=1)
    return start.float(), stop.float()
