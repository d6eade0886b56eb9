"""How well grades agree with labels, and how far their confidence can be believed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

BINS = 10
"""Bins of confidence in a reliability diagram (Guo et al. use 15, of thousands of pictures)."""


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
    """Return the bins of a reliability diagram, empty ones left out.

    Args:
        probabilities: `(N, classes)`, rows sum to 1.
        labels: Long `(N,)`.

    Returns:
        `low`, `high`, `count`, mean `confidence` (in the class graded) and `accuracy` of each.
    """
    confidence, grades = probabilities.max(dim=1)
    right = (grades == labels).float()
    places = (confidence * BINS).long().clamp(max=BINS - 1)
    return [
        {
            "low": place / BINS,
            "high": (place + 1) / BINS,
            "count": int((places == place).sum()),
            "confidence": float(confidence[places == place].mean()),
            "accuracy": float(right[places == place].mean()),
        }
        for place in sorted(set(places.tolist()))
    ]


def expected_calibration_error(bins: list[dict[str, float]]) -> float:
    """Return the mean distance of confidence and accuracy over :func:`reliability` bins.

    References:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3.
    """
    apart = sum(bin_["count"] * abs(bin_["confidence"] - bin_["accuracy"]) for bin_ in bins)
    return apart / sum(bin_["count"] for bin_ in bins)


def fit_temperature(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the temperature by which logits give the likeliest probabilities.

    Searched on a grid from 0.1 to 10: one number needs no gradient, and a grid has no bad start.

    Args:
        logits: `(N, classes)`.
        labels: Long `(N,)`.

    Returns:
        A number.

    References:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2.
    """
    grid = torch.logspace(-1, 1, 401, device=logits.device)
    losses = torch.stack([functional.cross_entropy(logits / value, labels) for value in grid])
    return grid[losses.argmin()]
