"""Scores of a segmentation inside the field of view."""

from __future__ import annotations

import torch
from torch import Tensor

from magenet.metrics.mean import MeanPerImage


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
