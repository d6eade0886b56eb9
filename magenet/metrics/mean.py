"""The mean over photographs: base class of the torchmetrics classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


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
