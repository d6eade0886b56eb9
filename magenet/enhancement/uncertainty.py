"""How far an enhanced photograph may be from the truth."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

SMOOTHING = 1 / 32
"""Side, over the photograph's, of the window in which disagreement and error are averaged: an
expected error is one of a place, not of a pixel (our choice)."""


LOCAL_SHARE = 1 / 3
"""Power of the local change in the doubt; our choice."""

GREY_LEVEL = 1 / 255


def smoothed(plane: Tensor, mask: Tensor) -> Tensor:
    """Return planes averaged over their neighbourhood inside the field.

    Args:
        plane: `(B, C, S, S)`.
        mask: Field of view, `(B, 1, S, S)` or `(1, 1, S, S)`, 0 or 1.

    Returns:
        `(B, C, S, S)`, 0 outside.
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


def uncertainty_score(estimates: Tensor, seen: Tensor, mask: Tensor) -> Tensor:
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
