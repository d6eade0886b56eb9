"""The area under the ROC curve, photograph by photograph."""

from __future__ import annotations

import torch
from torch import Tensor


def roc_auc(score: Tensor, positive: Tensor, mask: Tensor) -> Tensor:
    """Return each photograph's area under the ROC curve of its pixels; ties count half.

    Args:
        score: `(B, 1, H, W)` in [0, 1]; torchmetrics applies a sigmoid to other ranges.
        positive: Pixels of the positive class, bool, same shape.
        mask: Pixels that count, bool, same shape.

    Returns:
        `(B,)` in [0, 1]; NaN where either class is missing.

    References:
        Hanley and McNeil, "The meaning and use of the area under a ROC curve", Radiology 1982: the
        area is the Mann-Whitney statistic.

    Example:
        >>> score = torch.tensor([0.9, 0.4, 0.4, 0.1]).view(1, 1, 2, 2)
        >>> positive = torch.tensor([True, True, False, False]).view(1, 1, 2, 2)
        >>> roc_auc(score, positive, torch.ones_like(positive))
        tensor([0.8750])
    """
    # Here, as in `magenet.metrics`: not for the enhancer, which starts a second earlier.
    from torchmetrics.functional.classification import binary_auroc

    areas = []
    for values, classes, inside in zip(score.detach(), positive, mask, strict=True):
        target = classes[inside]
        # torchmetrics returns 0 with a warning where a class is missing.
        defined = bool(target.any()) and not bool(target.all())
        area = binary_auroc(values[inside], target.long(), validate_args=False) if defined else None
        areas.append(torch.nan if area is None else float(area))
    return torch.tensor(areas, dtype=torch.float32, device=score.device)
