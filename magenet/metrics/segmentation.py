"""Scores of a segmentation inside the field of view."""

from __future__ import annotations

import torch
from torch import Tensor

from magenet.metrics.mean import MeanPerImage
from magenet.metrics.planes import check_planes
from magenet.metrics.roc import roc_auc
from magenet.metrics.skeleton import centerline_dice


def masked_dice(probability: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Return each photograph's Dice coefficient of the hard masks, inside the field.

    Args:
        probability: `(B, 1, H, W)` in [0, 1]; at least 0.5 is inside.
        truth: Same shape; at least 0.5 is inside.
        mask: Field of view, same shape, 0 or 1.

    Returns:
        `(B,)`; 1 where both are empty.
    """
    own = ((probability >= 0.5) & (mask > 0)).flatten(1)
    true = ((truth >= 0.5) & (mask > 0)).flatten(1)
    both = (own & true).sum(dim=1).double()
    sizes = own.sum(dim=1).double() + true.sum(dim=1).double()
    return torch.where(sizes > 0, 2 * both / sizes.clamp(min=1), 1.0).float()


class MaskedDice(MeanPerImage):
    """Average :func:`masked_dice` over photographs; arguments are torchmetrics' own."""

    def update(self, probability: Tensor, truth: Tensor, mask: Tensor) -> None:
        """Add a batch; see :func:`masked_dice`."""
        self.add(masked_dice(probability, truth, mask))


def vessel_scores(probability: Tensor, truth: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Return each photograph's scores of its vessels, inside the field.

    All but `roc_auc` are of the hard masks.

    - `balanced_accuracy`: mean of sensitivity and specificity. Published tables of enhancement call
      it AUC (derived: no other reading fits their other columns).
    - `accuracy`: share of pixels that are right; 0.9 where no vessel is found at all.
    - `iou`, `dice`: of the vessels.
    - `roc_auc`: area under the ROC curve of the probabilities, see :func:`roc_auc`.
    - `cldice`: of the vessels' centre lines, see :func:`centerline_dice`.

    Args:
        probability: `(B, 1, H, W)` in [0, 1]; at least 0.5 is inside.
        truth: Same shape; at least 0.5 is inside.
        mask: Field of view, same shape, 0 or 1.

    Returns:
        `(B,)` each, in [0, 1]. Without a true vessel only accuracy is defined, and all others are
        NaN; so are `balanced_accuracy` and `roc_auc` where all is vessel, and accuracy in an empty
        field.

    Raises:
        ValueError: If shapes differ, or a probability inside the field is NaN.

    Example:
        >>> truth = torch.eye(4).view(1, 1, 4, 4)
        >>> vessel_scores(0.9 * truth, truth, torch.ones_like(truth))["iou"]
        tensor([1.])
    """
    check_planes(probability, truth, mask)
    inside = mask > 0
    if bool((probability.isnan() & inside).any()):
        raise ValueError("a probability is NaN: it would count as no vessel")
    own, true = probability >= 0.5, truth >= 0.5

    def count(where: Tensor) -> Tensor:
        return (where & inside).sum(dim=(1, 2, 3)).double()  # so that 0 of 0 becomes NaN

    hits, quiet = count(own & true), count(~own & ~true)
    vessel, background = count(true), count(~true)
    result = {
        "balanced_accuracy": (hits / vessel + quiet / background) / 2,
        "accuracy": (hits + quiet) / count(inside),
        "iou": torch.where(vessel > 0, hits / count(own | true), torch.nan),
        "dice": torch.where(vessel > 0, masked_dice(probability, truth, mask), torch.nan),
        "roc_auc": roc_auc(probability, true, inside),
        "cldice": centerline_dice(probability, truth, mask),
    }
    return {name: score.float() for name, score in result.items()}
