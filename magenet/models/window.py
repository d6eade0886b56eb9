"""Windows: parts of photographs at their own scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

MARGIN = 96
"""Pixels around a window beyond which the photograph hardly changes the result inside (measured:
less than 1/255)."""

TILE = 1024
"""Side of the windows that photographs are cut into, without their margins, in pixels."""


class Window(NamedTuple):
    """Parts of photographs at their own scale, K of each photograph, all of one size.

    Attributes:
        corners: First row and column of each window, K pairs for each photograph, in pixels,
            multiples of :attr:`DetailStage.multiple`.
        height: Number of rows, a multiple likewise.
        width: Number of columns, likewise.
        frame: Height and width of the whole photographs.
    """

    corners: Sequence[Sequence[tuple[int, int]]]
    height: int
    width: int
    frame: tuple[int, int]

    def cut(self, image: Tensor) -> Tensor:
        """Return the windows of photographs `(B, C, H, W)`: `(B K, C, height, width)`.

        Beyond the frame's lower and right edge they repeat it.
        """
        parts = []
        for picture, corners in zip(image, self.corners, strict=True):
            for top, left in corners:
                part = picture[:, top : top + self.height, left : left + self.width]
                below, right = self.height - part.shape[1], self.width - part.shape[2]
                if below or right:
                    part = functional.pad(part, (0, right, 0, below), mode="replicate")
                parts.append(part)
        return torch.stack(parts)

    def flipped(self, axes: Sequence[int]) -> Window:
        """Return the windows of flipped photographs that show the same places.

        Args:
            axes: -2 for rows, -1 for columns, or both.

        Raises:
            ValueError: If the windows are larger than the photographs.
        """
        rows, columns = self.frame
        if rows < self.height or columns < self.width:
            raise ValueError("windows that are larger than their photographs cannot be flipped")

        def moved(top: int, left: int) -> tuple[int, int]:
            """Return the corner after the flip."""
            return (
                rows - self.height - top if -2 in axes else top,
                columns - self.width - left if -1 in axes else left,
            )

        corners = [[moved(*corner) for corner in photograph] for photograph in self.corners]
        return self._replace(corners=corners)

    def put(self, part: Tensor, image: Tensor, valid: tuple[slice, slice]) -> None:
        """Copy rows and columns of one window of photographs into them, the same in each."""
        top, left = self.corners[0][0]
        rows, columns = valid
        image[..., rows, columns] = part[
            ..., rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]

    def sample(self, field: Tensor, stride: int) -> Tensor:
        """Upsample a coarse field of the whole photographs bilinearly into the windows.

        Args:
            field: `(B, C, h, w)` over the whole photographs.
            stride: Pixels of the photograph per pixel of the result, along one axis.

        Returns:
            float32 `(B K, C, height / stride, width / stride)`: those parts of what `interpolate`
            returns for the whole photograph, whatever the window.
        """
        (rows, height), (columns, width) = self._interpolations(field, stride)
        with torch.autocast(field.device.type, enabled=False):
            # (B, K, 1, height, h) x (B, 1, C, h, w) x (B, K, 1, w, width)
            part = field[..., rows, columns].float()[:, None]
            sampled = height[:, :, None] @ part @ width[:, :, None].mT
        return sampled.flatten(0, 1)

    def sample_features(self, field: Tensor, stride: int) -> Tensor:
        """Upsample features of the whole photographs as :meth:`sample` does fields.

        Args:
            field: `(B, C, h, w)` over the whole photographs.
            stride: Pixels of the photograph per pixel of the result, along one axis.

        Returns:
            `(B K, C, height / stride, width / stride)` in the features' precision and in
            channels-last, as convolutions return them, so that nothing need be copied.
        """
        (rows, height), (columns, width) = self._interpolations(field, stride)
        with torch.autocast(field.device.type, enabled=False):
            part = field[..., rows, columns].float().permute(0, 3, 2, 1)  # (B, w, h, C)
            # One product for all windows and rows: (B, K width, w) x (B, w, h C)
            across = width.flatten(1, 2) @ part.flatten(2)
            across = across.view(*width.shape[:3], *part.shape[2:])  # (B, K, width, h, C)
            across = across.transpose(2, 3).to(field.dtype)
            sampled = height.to(field.dtype) @ across.flatten(3)
        return sampled.view(-1, height.shape[2], *across.shape[3:]).permute(0, 3, 1, 2)

    def _interpolations(self, field: Tensor, stride: int) -> list[tuple[slice, Tensor]]:
        """Return :func:`interpolation` along both axes."""
        axes = []
        for axis, count in enumerate((self.height, self.width)):
            first = [[corner[axis] for corner in photograph] for photograph in self.corners]
            source = field.shape[2 + axis]
            needed, weights = interpolation(
                first, count // stride, stride, self.frame[axis], source
            )
            axes.append((needed, weights.to(field.device, non_blocking=field.is_cuda)))
        return axes


def interpolation(
    first: Sequence[Sequence[int]], count: int, stride: int, frame: int, source: int
) -> tuple[slice, Tensor]:
    """Return the weights of a bilinear interpolation along one axis.

    Two products with them take two thirds of the time of `grid_sample` on a CPU.

    Args:
        first: Where each window begins, K numbers for each photograph, in pixels of the photograph.
        count: Pixels of the result.
        stride: Pixels of the photograph per pixel of the result.
        frame: Pixels of the photograph.
        source: Pixels of the field that lies over the whole photograph.

    Returns:
        The pixels of the field that are needed, and their weights, `(B, K, count, needed)`.
    """

    def place(pixel: Tensor) -> Tensor:
        return ((pixel + 0.5 * stride) * (source / frame) - 0.5).clamp(0.0, source - 1.0)

    corners = torch.tensor(first)
    least, most = place(corners.min()), place(corners.max() + (count - 1) * stride)
    needed = slice(int(least), int(most.ceil()) + 1)
    places = place(corners[..., None] + stride * torch.arange(count))
    distance = places[..., None] - torch.arange(needed.start, needed.stop)
    return needed, (1.0 - distance.abs()).clamp(min=0.0)


def whole_window(frame: tuple[int, int], batch: int, multiple: int) -> Window:
    """Return the window that is the whole photograph, its sides rounded up to multiples."""
    height, width = (-(-side // multiple) * multiple for side in frame)
    return Window([[(0, 0)]] * batch, height, width, frame)


def is_one_tile(height: int, width: int) -> bool:
    """Return whether photographs of this size need not be cut into windows."""
    return max(height, width) <= TILE


def windows(
    height: int, width: int, batch: int, multiple: int
) -> Iterator[tuple[Window, tuple[slice, slice]]]:
    """Yield windows that cover photographs, and the part of each without its margin.

    Args:
        height: Of the photographs, in pixels.
        width: Of the photographs.
        batch: Number of photographs.
        multiple: Of the windows' edges.

    Yields:
        A window, the same in every photograph, and the rows and columns that it is valid for.
    """
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            valid = (
                slice(top, min(top + TILE, height)), slice(left, min(left + TILE, width))
            )  # fmt: skip
            corner = (max(0, top - MARGIN), max(0, left - MARGIN))
            counts = []
            for start, part, side in zip(corner, valid, (height, width), strict=True):
                count = min(part.stop + MARGIN, side) - start
                counts.append(-(-count // multiple) * multiple)
            yield Window([[corner]] * batch, counts[0], counts[1], (height, width)), valid
