"""Training on synthetic pairs alone, and the classical enhancers that need none."""

from __future__ import annotations

from torch import Tensor

from data_modules.batch import Batch
from magenet.errors import UsageError
from magenet.models import Enhancer
from magenet.tasks.enhancement import EnhancementTask


class SupervisedTask(EnhancementTask):
    """Train an enhancer on synthetic pairs; arguments as in :class:`EnhancementTask`."""

    def training_loss(self, batch: Batch) -> Tensor:
        """Return the loss of a batch of pairs (of mixed batches, the synthetic half)."""
        batch = batch.get("synthetic", batch)
        return self.summed(
            self.supervised_terms(self.student_output(batch["image_degraded"], batch), batch)
        )


class ClassicalTask(SupervisedTask):
    """Score and use an enhancer that has nothing to learn.

    Args:
        network: The enhancer.
    """

    learns = False

    def __init__(self, network: Enhancer) -> None:
        super().__init__(network, structure_weight=0.0)

    def setup(self, stage: str) -> None:
        """Refuse to train.

        Raises:
            UsageError: If asked to.
        """
        if stage == "fit":
            name = type(self.network).__name__
            raise UsageError(f"{name} has nothing to learn: use test or predict")
        super().setup(stage)
