"""What all metrics here share: the mean over photographs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


class MeanPerImage(Metric):
    """Average a score over photographs, across batches and processes."""

    is_differentiable = False
    higher_is_better: bool | None = True
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros((), dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def add(self, scores: Tensor) -> None:
        """Count each photograph's score, `(B,)`, once."""
        self.total += scores.float().sum()
        self.count += scores.numel()

    def compute(self) -> Tensor:
        """Return the mean over all photographs seen."""
        return self.total / self.count


class MeanWhereDefined(MeanPerImage):
    """Average a score over the photographs that have one; NaN if none has."""

    def add(self, scores: Tensor) -> None:
        """Count each photograph's score, `(B,)`, once; leave out NaN."""
        super().add(scores[~scores.isnan()])


class MeanOf(MeanWhereDefined):
    """Average any score of this package over the photographs that have one.

    Args:
        score: Gives `(B,)`, or several of them by name.
        name: Which one, where there are several.
        kwargs: torchmetrics' own.

    Example:
        >>> vessels, found = torch.ones(2, 1, 8, 8), torch.ones(2, 1, 8, 8)
        >>> found[1, ..., :4] = 0.0
        >>> from magenet.metrics import vessel_scores
        >>> iou = MeanOf(vessel_scores, "iou")
        >>> iou.update(found, vessels, torch.ones(2, 1, 8, 8))
        >>> float(iou.compute())
        0.75
    """

    higher_is_better = None

    def __init__(self, score: Callable[..., Any], name: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.score = score
        self.name = name

    def update(self, *arguments: Any, **kwargs: Any) -> None:
        """Add a batch, given what the score takes."""
        found = self.score(*arguments, **kwargs)
        self.add(found if self.name is None else found[self.name])
