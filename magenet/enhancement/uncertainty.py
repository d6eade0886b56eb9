"""Uncalibrated per-pixel uncertainty of an enhancement: by test-time augmentation or predicted."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

SMOOTHING = 1 / 32
"""Side of the averaging window over the photograph's side: an expected error is one of a
neighbourhood, not of a pixel (our choice)."""

LOCAL_SHARE = 1 / 3
"""Exponent of the local change in the score (our choice)."""

GREY_LEVEL = 1 / 255

HARM = 4 * GREY_LEVEL
"""Error added to a place above which it counts as made worse: about what can be seen (our
choice)."""


def local_mean(plane: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over a square window, of pixels inside the field only.

    Args:
        plane: `(B, C, S, S)`.
        mask: Field of view, `(B, 1, S, S)` or `(1, 1, S, S)`, 0 or 1.

    Returns:
        `(B, C, S, S)`, 0 outside.
    """
    radius = max(1, round(SMOOTHING * plane.shape[-1] / 2))

    def window_mean(value: Tensor) -> Tensor:
        return functional.avg_pool2d(value, 2 * radius + 1, 1, radius)

    return mask * window_mean(plane * mask) / window_mean(mask).clamp(min=1e-6)


def disagreement(estimates: Tensor, mask: Tensor) -> Tensor:
    """Return the standard deviation over several estimates of one photograph.

    Args:
        estimates: `(N, 3, S, S)` in [0, 1], all upright.
        mask: Field of view, `(1, 1, S, S)`, 0 or 1.

    Returns:
        Mean of the three colours, `(1, 1, S, S)`, 0 outside.
    """
    return mask * estimates.std(dim=0, correction=0).mean(dim=0)[None, None]


def uncertainty_score(estimates: Tensor, seen: Tensor, mask: Tensor) -> Tensor:
    """Return the uncalibrated per-pixel uncertainty of an enhancement.

    The mean disagreement of the photograph's augmented views times the local size of the change,
    as a weighted geometric mean. Either factor alone, and the disagreement per pixel, correlate
    less with the true error (`experiments/results/uncertainty.md`).

    Args:
        estimates: Of several views of the photograph, `(N, 3, S, S)` in [0, 1], all upright.
        seen: The photograph, `(3, S, S)`, black outside the field.
        mask: Field of view, `(1, 1, S, S)`, 0 or 1.

    Returns:
        `(1, 1, S, S)`, at least 0; 0 outside.

    References:
        Wang et al., "Aleatoric uncertainty estimation with test-time augmentation for medical image
        segmentation", Neurocomputing 2019, for disagreement of views; the product is our choice.
    """
    mean_disagreement = disagreement(estimates, mask).sum() / mask.sum()
    change = local_mean((estimates.mean(dim=0) - seen).abs().mean(dim=0)[None, None], mask)
    local = (change + GREY_LEVEL) ** LOCAL_SHARE
    return mask * mean_disagreement ** (1 - LOCAL_SHARE) * local


def harm_probability(before: Tensor, after: Tensor) -> Tensor:
    """Return the probability that a place is made worse by more than :data:`HARM`.

    The errors of the photograph and of its estimate are taken as independent and, as those of
    Laplace distributions, exponentially distributed in size.

    Args:
        before: Expected error of the photograph, positive.
        after: Expected error of the estimate, positive.

    Example:
        >>> import torch
        >>> sure, unsure = harm_probability(torch.tensor([0.1, 0.01]), torch.tensor([0.01, 0.1]))
        >>> bool(sure < 0.03), bool(unsure > 0.7)
        (True, True)
    """
    return (-HARM / after).exp() * after / (before + after)
