"""Segmentation scores inside the field of view."""

from __future__ import annotations

import torch
from torch import Tensor

from magenet.metrics.masks import check_masks, require_numbers
from magenet.metrics.roc import roc_auc
from magenet.metrics.skeleton import centerline_dice


def masked_dice(probability: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Return each photograph's Dice coefficient of thresholded masks, inside the field of view.

    Args:
        probability: `(B, 1, H, W)` in [0, 1]; at least 0.5 is inside.
        truth: Reference mask, same shape; at least 0.5 is inside.
        mask: Field of view, same shape, 0 or 1.

    Returns:
        `(B,)` in [0, 1]; 1 where both masks are empty, NaN where the field of view is.

    Raises:
        ValueError: If shapes differ, or a probability inside the field is NaN.
    """
    check_masks(probability, truth, mask)
    require_numbers(probability, mask)
    predicted = ((probability >= 0.5) & (mask > 0)).flatten(1)
    reference = ((truth >= 0.5) & (mask > 0)).flatten(1)
    overlap = (predicted & reference).sum(dim=1).double()
    sizes = predicted.sum(dim=1).double() + reference.sum(dim=1).double()
    dice = torch.where(sizes > 0, 2 * overlap / sizes.clamp(min=1), 1.0)
    return torch.where((mask > 0).flatten(1).any(dim=1), dice, torch.nan).float()


def vessel_scores(probability: Tensor, truth: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Return each photograph's vessel segmentation scores inside the field of view.

    All but `roc_auc` are computed from masks thresholded at 0.5.

    - `balanced_accuracy`: mean of sensitivity and specificity. Published tables of enhancement call
      it AUC (our inference: no other reading fits their other columns).
    - `accuracy`: share of correct pixels; about 0.9 even if no vessel is found.
    - `iou`, `dice`: of the vessel class.
    - `roc_auc`: area under the ROC curve of the probabilities, see :func:`roc_auc`.
    - `cldice`: Dice of the vessels' centre lines, see :func:`centerline_dice`.

    Args:
        probability: `(B, 1, H, W)` in [0, 1]; at least 0.5 is inside.
        truth: Reference vessel mask, same shape; at least 0.5 is inside.
        mask: Field of view, same shape, 0 or 1.

    Returns:
        `(B,)` each, in [0, 1]. Without a reference vessel all but `accuracy` are NaN; where all
        pixels are vessel, `balanced_accuracy` and `roc_auc` are; in an empty field all are.

    Raises:
        ValueError: If shapes differ, or a probability inside the field is NaN.

    Example:
        >>> truth = torch.eye(4).view(1, 1, 4, 4)
        >>> vessel_scores(0.9 * truth, truth, torch.ones_like(truth))["iou"]
        tensor([1.])
    """
    check_masks(probability, truth, mask)
    inside = mask > 0
    require_numbers(probability, mask)
    predicted, reference = probability >= 0.5, truth >= 0.5

    def count(where: Tensor) -> Tensor:
        return (where & inside).sum(dim=(1, 2, 3)).double()  # so that 0 / 0 becomes NaN

    true_positives = count(predicted & reference)
    true_negatives = count(~predicted & ~reference)
    positives, negatives = count(reference), count(~reference)
    iou = true_positives / count(predicted | reference)
    result = {
        "balanced_accuracy": (true_positives / positives + true_negatives / negatives) / 2,
        "accuracy": (true_positives + true_negatives) / count(inside),
        "iou": torch.where(positives > 0, iou, torch.nan),
        "dice": torch.where(positives > 0, masked_dice(probability, truth, mask), torch.nan),
        "roc_auc": roc_auc(probability, reference, inside),
        "cldice": centerline_dice(probability, truth, mask),
    }
    return {name: score.float() for name, score in result.items()}
