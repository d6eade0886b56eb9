"""Training of a segmenter of vessels or of the optic disc."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from data_modules.batch import Batch
from magenet.losses import Structure, StructureLoss
from magenet.metrics import MaskedDice
from magenet.tasks.base import FundusTask


class SegmentationTask(FundusTask):
    """Train a network to segment vessels or the optic disc on clean photographs.

    Args:
        network: Gives logits `(B, 1, H, W)` for photographs `(B, 3, H, W)`.
        kwargs: See :class:`FundusTask`.
    """

    def __init__(self, network: nn.Module, **kwargs: Any) -> None:
        super().__init__(network, **kwargs)
        self.loss = StructureLoss()
        self.val_dice = MaskedDice()
        self.test_dice = MaskedDice()

    def forward(self, image: Tensor) -> Tensor:
        """Return the probability of the structure, `(B, 1, H, W)`."""
        logits: Tensor = self.network(self.in_memory_format(image))
        return logits.float().sigmoid()

    def training_loss(self, batch: Batch) -> Tensor:
        """Return the sum of cross-entropy and Dice loss."""
        known = torch.ones(len(batch["image"]), dtype=torch.bool, device=self.device)
        wanted = Structure(batch["mask_structure"], known)
        loss: Tensor = self.loss(
            self.network(self.in_memory_format(batch["image"])), wanted, batch["mask_fov"]
        )
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Score against the reference masks."""
        self.val_dice.update(self(batch["image"]), batch["mask_structure"], batch["mask_fov"])
        self.log("val/dice", self.val_dice, prog_bar=True)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Score against the reference masks."""
        self.test_dice.update(self(batch["image"]), batch["mask_structure"], batch["mask_fov"])
        self.log("test/dice", self.test_dice)
