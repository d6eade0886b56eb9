"""The frame that photographs share, and where the field of view lies in it."""

from __future__ import annotations

import torch
from torch import Tensor


class Frame:
    """Know the masks of a batch, and each field's centre and diameter in pixels.

    The diameter is the longer side of the box around the field: cameras that cut the circle off
    cut it at the top and the bottom, or not at all.

    Args:
        mask: Field of view, float `(B, 1, H, W)`, 0 or 1, empty nowhere.

    Attributes:
        mask: As given.
        centre_x: Column of the box's centre, `(B,)` pixels from the frame's left edge.
        centre_y: Row of the box's centre, `(B,)` pixels from the frame's upper edge.
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
        """Return the frame of some samples, given by their places in the batch, int64 `(n,)`."""
        some = Frame.__new__(Frame)
        some.mask = self.mask[samples]
        some.centre_x, some.centre_y = self.centre_x[samples], self.centre_y[samples]
        some.diameter = self.diameter[samples]
        return some

    def axes(self, cells: int) -> tuple[Tensor, Tensor]:
        """Return the places of a grid's cells, in field diameters from the field's centre.

        Args:
            cells: Cells along each side of the frame.

        Returns:
            x as `(B, 1, cells)` and y as `(B, cells, 1)`; the field's edge is at distance 0.5.
        """
        height, width = self.size
        middle = (torch.arange(cells, device=self.mask.device) + 0.5) / cells
        x = (middle * width - self.centre_x[:, None]) / self.diameter[:, None]
        y = (middle * height - self.centre_y[:, None]) / self.diameter[:, None]
        return x[:, None, :], y[:, :, None]

    def distance(self, cells: int, x: Tensor, y: Tensor) -> Tensor:
        """Return how far a grid's cells are from a point, `(B, cells, cells)` field diameters.

        Args:
            cells: See :meth:`axes`.
            x: Of each sample's point, `(B,)` field diameters right of the field's centre.
            y: The same, below it.
        """
        columns, rows = self.axes(cells)
        across, down = columns - x[:, None, None], rows - y[:, None, None]
        return (across.square() + down.square()).sqrt_()


def _ends(inside: Tensor) -> tuple[Tensor, Tensor]:
    """Return where each row of 0 and 1, `(B, n)`, begins and ends to be 1, in pixels."""
    count = inside.shape[1]
    place = torch.arange(count, device=inside.device)
    first = torch.where(inside > 0, place, count).amin(dim=1)
    last = torch.where(inside > 0, place + 1, 0).amax(dim=1)
    return first.float(), last.float()
