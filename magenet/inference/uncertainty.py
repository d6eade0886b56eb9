"""How far an enhanced photograph may be from the truth, and when to leave one alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

SMOOTHING = 1 / 32
"""Side, over the photograph's, of the window in which disagreement and error are averaged: an
expected error is one of a place, not of a pixel (our choice)."""


LOCAL_SHARE = 1 / 3
"""Power of the local change in the doubt; measured: see `experiments/results/uncertainty.md`."""

GREY_LEVEL = 1 / 255


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
        Standard deviation over the estimates, mean of the colours, `(1, 1, S, S)`, 0 outside.
    """
    return mask * estimates.std(dim=0, correction=0).mean(dim=0)[None, None]


def doubt(estimates: Tensor, seen: Tensor, mask: Tensor) -> Tensor:
    """Return how doubtful the enhancement of a photograph is, place by place.

    It is how unsure the network is of the photograph as a whole, times how much it changes it
    there. Either alone tells less about the true error, and so does disagreement place by place.

    Args:
        estimates: Of several views of the photograph, `(N, 3, S, S)` in [0, 1], all upright.
        seen: The photograph, `(3, S, S)`, black outside the field.
        mask: Field of view, `(1, 1, S, S)`, 0 or 1.

    Returns:
        `(1, 1, S, S)`, at least 0; 0 outside.
    """
    unsure = disagreement(estimates, mask).sum() / mask.sum()
    change = smoothed((estimates.mean(dim=0) - seen).abs().mean(dim=0)[None, None], mask)
    return mask * unsure ** (1 - LOCAL_SHARE) * (change + GREY_LEVEL) ** LOCAL_SHARE


@dataclass(frozen=True)
class Calibration:
    """Turn doubt into an expected error, by a line through measured points.

    Attributes:
        doubt: Of the points, ascending.
        error: Mean absolute error measured there, of values in [0, 1], ascending.

    Example:
        >>> line = Calibration((0.0, 0.1), (0.01, 0.05))
        >>> [round(float(x), 3) for x in line(torch.tensor([0.0, 0.05, 9.0]))]
        [0.01, 0.03, 0.05]
    """

    doubt: Sequence[float]
    error: Sequence[float]

    def __call__(self, doubt: Tensor) -> Tensor:
        """Return the expected error of values of any shape; the ends of the line are its limits."""
        x = doubt.new_tensor(self.doubt)
        y = doubt.new_tensor(self.error)
        place = torch.searchsorted(x, doubt.contiguous()).clamp(1, len(x) - 1)
        share = (doubt - x[place - 1]) / (x[place] - x[place - 1])
        return torch.lerp(y[place - 1], y[place], share.clamp(0.0, 1.0))

    @classmethod
    def fitted(cls, doubt: Tensor, error: Tensor, points: int = 12) -> Calibration:
        """Return the line through the means of as many groups, of equal size and never falling.

        Args:
            doubt: `(n,)`, of places whose truth is known.
            error: Absolute error there, `(n,)`.
            points: Number of groups.
        """
        order = doubt.argsort()
        groups = [
            (float(doubt[some].mean()), float(error[some].mean())) for some in order.chunk(points)
        ]
        x, y = (torch.tensor(values, dtype=torch.float64) for values in zip(*groups, strict=True))
        y = y.cummax(dim=0).values
        distinct = torch.cat([torch.tensor([True]), x.diff() > 1e-9])
        return cls(tuple(x[distinct].tolist()), tuple(y[distinct].tolist()))


def restraint(change: Tensor, mask: Tensor, noise: float) -> float:
    """Return the share of a change to apply: all of a large one, none of one that may be noise.

    The network changes good photographs, too, a little; a change of that size tells nothing. What
    is best in squared error, where the error of the change is known and the change is not, is
    James and Stein's estimator with its positive part.

    Args:
        change: `(3, S, S)`.
        mask: Field of view, `(1, S, S)`, 0 or 1.
        noise: Root mean square, inside the field, of the change of good photographs.

    Returns:
        0 to 1.

    References:
        Efron and Morris, "Stein's Estimation Rule and Its Competitors", JASA 1973, equation 1.12.

    Example:
        >>> [round(restraint(torch.full((3, 8, 8), c), torch.ones(1, 8, 8), 0.02), 2)
        ...  for c in (0.01, 0.02, 0.03, 0.1)]
        [0.0, 0.0, 0.56, 0.96]
    """
    energy = float((change.square() * mask).sum() / (3 * mask.sum()))
    return max(0.0, 1.0 - noise**2 / energy) if energy > 0.0 else 0.0
