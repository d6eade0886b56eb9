"""Training of the regressor that tells how far a photograph is from a clean one."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import MeanMetric, Metric, SpearmanCorrCoef

from data_modules.batch import Batch
from magenet.losses import masked_mean
from magenet.models.severity import SeverityRegressor, block_errors, severity
from magenet.tasks.base import FundusTask


class SeverityTask(FundusTask):
    """Train a regressor of severity on synthetic pairs, whose errors are known.

    Args:
        network: The regressor.
        kwargs: See :class:`FundusTask`.
    """

    def __init__(self, network: SeverityRegressor, **kwargs: Any) -> None:
        super().__init__(network, **kwargs)
        self.scores = nn.ModuleDict(
            {
                stage: nn.ModuleDict({"error": MeanMetric(), "correlation": SpearmanCorrCoef()})
                for stage in ("val_", "test_")  # a ModuleDict has no key that is a method's name
            }
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return the logarithms of the errors of each block; see :class:`SeverityRegressor`."""
        logarithms: Tensor = self.network(self.in_memory_format(image))
        return logarithms

    def training_loss(self, batch: Batch) -> Tensor:
        """Return the mean absolute difference of the logarithms: it fits their medians."""
        found = self(batch["image_degraded"])
        wanted, known = block_errors(
            batch["image_degraded"], batch["image_clean"], batch["mask_fov"]
        )
        return masked_mean(functional.l1_loss(found, wanted, reduction="none"), known)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Score the error of the logarithms, and the rank correlation of the photographs."""
        self._score(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Score as a validation does, under every condition."""
        self._score(batch, "test")

    def _score(self, batch: Batch, stage: str) -> None:
        """Update and log the scores of a stage."""
        degraded, mask = batch["image_degraded"], batch["mask_fov"]
        found = self(degraded)
        wanted, known = block_errors(degraded, batch["image_clean"], mask)
        scores = self.scores[f"{stage}_"]
        assert isinstance(scores, nn.ModuleDict)  # by construction
        error, correlation = scores["error"], scores["correlation"]
        assert isinstance(error, MeanMetric)
        assert isinstance(correlation, SpearmanCorrCoef)
        error.update(masked_mean((found - wanted).abs(), known), len(mask))
        correlation.update(severity(found, mask), severity(wanted, mask))
        for name, metric in scores.items():
            assert isinstance(metric, Metric)
            self.log(f"{stage}/{name}", metric, prog_bar=name == "correlation")
