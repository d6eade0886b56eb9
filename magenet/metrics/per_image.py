"""Thin torchmetrics classes: the mean of a score over photographs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from magenet.metrics.full_reference import masked_psnr, masked_ssim
from magenet.metrics.segmentation import masked_dice


class MeanPerImage(Metric):
    """Mean of a score over photographs, across batches and processes."""

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros((), dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def add(self, scores: Tensor) -> None:
        """Add the scores of a batch's photographs, `(B,)`."""
        self.total += scores.float().sum()
        self.count += scores.numel()

    def compute(self) -> Tensor:
        """Return the mean over all photographs added."""
        return self.total / self.count


class MaskedPSNR(MeanPerImage):
    """Mean :func:`masked_psnr` over photographs; arguments are torchmetrics' own."""

    def update(self, image: Tensor, clean: Tensor, mask: Tensor) -> None:
        """Add a batch; see :func:`masked_psnr`."""
        self.add(masked_psnr(image, clean, mask))


class MaskedSSIM(MeanPerImage):
    """Mean :func:`masked_ssim` over photographs; arguments are torchmetrics' own."""

    def update(self, image: Tensor, clean: Tensor, mask: Tensor) -> None:
        """Add a batch; see :func:`masked_ssim`."""
        self.add(masked_ssim(image, clean, mask))


class MaskedDice(MeanPerImage):
    """Mean :func:`masked_dice` over photographs; arguments are torchmetrics' own."""

    def update(self, probability: Tensor, truth: Tensor, mask: Tensor) -> None:
        """Add a batch; see :func:`masked_dice`."""
        self.add(masked_dice(probability, truth, mask))
