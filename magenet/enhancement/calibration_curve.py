"""A relation that was measured, as a line through points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class CalibrationCurve:
    """Give for any value what was measured for such values.

    Attributes:
        x: Of the points, ascending; two at least.
        y: What was measured there, never falling.

    Example:
        >>> line = CalibrationCurve((0.0, 0.1), (0.01, 0.05))
        >>> [round(float(y), 3) for y in line(torch.tensor([0.0, 0.05, 9.0]))]
        [0.01, 0.03, 0.05]
    """

    x: Sequence[float]
    y: Sequence[float]

    def __call__(self, value: Tensor) -> Tensor:
        """Return what belongs to values of any shape; beyond the ends, what is there."""
        x, y = value.new_tensor(self.x), value.new_tensor(self.y)
        place = torch.searchsorted(x, value.contiguous()).clamp(1, len(x) - 1)
        share = (value - x[place - 1]) / (x[place] - x[place - 1])
        return torch.lerp(y[place - 1], y[place], share.clamp(0.0, 1.0))
