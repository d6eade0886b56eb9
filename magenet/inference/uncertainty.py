"""How far an enhanced photograph may be from the truth, place by place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

SMOOTHING = 1 / 32
"""Side, over the photograph's, of the window in which disagreement and error are averaged: an
expected error is one of a place, not of a pixel (our choice)."""


def smoothed(plane: Tensor, mask: Tensor) -> Tensor:
    """Return planes averaged over their neighbourhood inside the field.

    Args:
        plane: `(B, 1, S, S)`.
        mask: Field of view, `(B, 1, S, S)`, 0 or 1.

    Returns:
        `(B, 1, S, S)`, 0 outside.
    """
    reach = max(1, round(SMOOTHING * plane.shape[-1] / 2))

    def around(value: Tensor) -> Tensor:
        return functional.avg_pool2d(value, 2 * reach + 1, 1, reach)

    return mask * around(plane * mask) / around(mask).clamp(min=1e-6)


def disagreement(estimates: Tensor, mask: Tensor) -> Tensor:
    """Return how much several estimates of one photograph differ, place by place.

    Args:
        estimates: `(N, 3, S, S)` in [0, 1], all upright.
        mask: Field of view, `(1, 1, S, S)`, 0 or 1.

    Returns:
        Standard deviation over the estimates, mean of the colours, smoothed, `(1, 1, S, S)`.
    """
    deviation = estimates.std(dim=0, correction=0).mean(dim=0)[None, None]
    return smoothed(deviation, mask)


@dataclass(frozen=True)
class Calibration:
    """Turn disagreement into an expected error, by a line through measured points.

    Attributes:
        disagreement: Of the points, ascending.
        error: Mean absolute error measured there, of values in [0, 1], ascending.

    Example:
        >>> line = Calibration((0.0, 0.1), (0.01, 0.05))
        >>> [round(float(x), 3) for x in line(torch.tensor([0.0, 0.05, 9.0]))]
        [0.01, 0.03, 0.05]
    """

    disagreement: Sequence[float]
    error: Sequence[float]

    def __call__(self, disagreement: Tensor) -> Tensor:
        """Return the expected error of values of any shape; the ends of the line are its limits."""
        x = disagreement.new_tensor(self.disagreement)
        y = disagreement.new_tensor(self.error)
        place = torch.searchsorted(x, disagreement.contiguous()).clamp(1, len(x) - 1)
        share = (disagreement - x[place - 1]) / (x[place] - x[place - 1])
        return torch.lerp(y[place - 1], y[place], share.clamp(0.0, 1.0))

    @classmethod
    def fitted(cls, disagreement: Tensor, error: Tensor, points: int = 12) -> Calibration:
        """Return the line through the means of as many groups, of equal size and never falling.

        Args:
            disagreement: `(n,)`, of places whose truth is known.
            error: Absolute error there, `(n,)`.
            points: Number of groups.
        """
        order = disagreement.argsort()
        groups = [
            (float(disagreement[some].mean()), float(error[some].mean()))
            for some in order.chunk(points)
        ]
        x, y = (torch.tensor(values, dtype=torch.float64) for values in zip(*groups, strict=True))
        y = y.cummax(dim=0).values
        distinct = torch.cat([torch.tensor([True]), x.diff() > 1e-9])
        return cls(tuple(x[distinct].tolist()), tuple(y[distinct].tolist()))
