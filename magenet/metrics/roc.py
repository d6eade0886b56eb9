"""The area under the ROC curve: how well a score ranks two kinds of pixels."""

from __future__ import annotations

import torch
from torch import Tensor


def roc_auc(score: Tensor, positive: Tensor, mask: Tensor) -> Tensor:
    """Return how often a positive pixel scores above a negative one; ties count half.

    Args:
        score: `(B, 1, H, W)`, any range.
        positive: bool, same shape.
        mask: Which pixels count, bool, same shape.

    Returns:
        `(B,)` in [0, 1]; NaN where either kind is missing.

    References:
        Hanley and McNeil, "The meaning and use of the area under a ROC curve", Radiology 1982:
        the area is the Mann-Whitney statistic.

    Example:
        >>> score = torch.tensor([0.9, 0.4, 0.4, 0.1]).view(1, 1, 2, 2)
        >>> positive = torch.tensor([True, True, False, False]).view(1, 1, 2, 2)
        >>> roc_auc(score, positive, torch.ones_like(positive))
        tensor([0.8750])
    """
    areas = []
    for values, own, inside in zip(score.detach(), positive, mask, strict=True):
        above, below = values[own & inside], values[~own & inside].sort().values
        beaten = torch.searchsorted(below, above) + torch.searchsorted(below, above, right=True)
        areas.append(beaten.double().mean() / (2 * below.numel()) if below.numel() else torch.nan)
    return torch.as_tensor(areas, dtype=torch.float32, device=score.device)
