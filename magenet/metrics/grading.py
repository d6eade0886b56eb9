"""Agreement of predicted grades with labels, and calibration of their confidence."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

BINS = 10
"""Confidence bins of a reliability diagram (Guo et al. use 15, on thousands of images)."""


def balanced_accuracy(confusion: Tensor) -> Tensor:
    """Return the mean recall over the classes that occur among the labels.

    Not torchmetrics' macro recall, which counts a class that was only predicted as a recall of 0.

    Args:
        confusion: Long `(classes, classes)`, a row for each label, a column for each prediction.

    Example:
        >>> float(balanced_accuracy(torch.tensor([[3, 1, 0], [1, 2, 1], [0, 0, 0]])))
        0.625
    """
    totals = confusion.sum(dim=1)
    return (confusion.diag()[totals > 0] / totals[totals > 0]).mean()


def reliability(probabilities: Tensor, labels: Tensor) -> list[dict[str, float]]:
    """Return the non-empty bins of a reliability diagram.

    Args:
        probabilities: `(N, classes)`, rows sum to 1.
        labels: Long `(N,)`.

    Returns:
        `low`, `high`, `count`, mean `confidence` (in the predicted class) and `accuracy` of each.
    """
    confidence, grades = probabilities.max(dim=1)
    correct = (grades == labels).float()
    bins = (confidence * BINS).long().clamp(max=BINS - 1)
    return [
        {
            "low": index / BINS,
            "high": (index + 1) / BINS,
            "count": int((bins == index).sum()),
            "confidence": float(confidence[bins == index].mean()),
            "accuracy": float(correct[bins == index].mean()),
        }
        for index in sorted(set(bins.tolist()))
    ]


def expected_calibration_error(bins: list[dict[str, float]]) -> float:
    """Return the expected calibration error: mean |confidence - accuracy|, weighted by count.

    Args:
        bins: See :func:`reliability`.

    References:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3.
    """
    total = sum(bin_["count"] * abs(bin_["confidence"] - bin_["accuracy"]) for bin_ in bins)
    return total / sum(bin_["count"] for bin_ in bins)


def fit_temperature(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the softmax temperature that minimises the negative log-likelihood of the labels.

    Grid search over 401 logarithmic steps from 0.1 to 10 (our choice): one parameter needs no
    gradient, and a grid needs no starting value.

    Args:
        logits: `(N, classes)`.
        labels: Long `(N,)`.

    Returns:
        Scalar.

    References:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2.
    """
    grid = torch.logspace(-1, 1, 401, device=logits.device)
    losses = torch.stack([functional.cross_entropy(logits / value, labels) for value in grid])
    return grid[losses.argmin()]
