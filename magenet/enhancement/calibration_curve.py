"""Calibration curve: a measured monotone relation, linearly interpolated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class CalibrationCurve:
    """Piecewise linear, non-decreasing function through measured points.

    Attributes:
        x: Abscissae, ascending; at least two.
        y: Measured values, non-decreasing.

    Example:
        >>> line = CalibrationCurve((0.0, 0.1), (0.01, 0.05))
        >>> [round(float(y), 3) for y in line(torch.tensor([0.0, 0.05, 9.0]))]
        [0.01, 0.03, 0.05]
    """

    x: Sequence[float]
    y: Sequence[float]

    def __call__(self, value: Tensor) -> Tensor:
        """Return the function at values of any shape, constant beyond the ends."""
        x, y = value.new_tensor(self.x), value.new_tensor(self.y)
        index = torch.searchsorted(x, value.contiguous()).clamp(1, len(x) - 1)
        share = (value - x[index - 1]) / (x[index] - x[index - 1])
        return torch.lerp(y[index - 1], y[index], share.clamp(0.0, 1.0))
