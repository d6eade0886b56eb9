"""Sheets of test photographs before and after enhancement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from magenet.atomic_write import atomic_write
from magenet.imaging.contact_sheet import sheet
from magenet.imaging.crop import at_side

SIDE = 512
"""Greatest side of a photograph on the sheet, in pixels (our choice)."""


class BeforeAfterPictures(Callback):
    """Writer of a sheet of test photographs: input, each network's result, clean photograph.

    Args:
        count: Number of photographs on the sheet, spread over the test.
    """

    def __init__(self, count: int = 8) -> None:
        self.count = count
        self.rows: list[list[Tensor]] = []
        self.subjects: list[str] = []

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start a new sheet."""
        self.rows = []

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep a photograph of some batches."""
        batches = sum(int(n) for n in trainer.num_test_batches)
        interval = max(1, batches // self.count)
        if not isinstance(outputs, dict) or batch_idx % interval or len(self.rows) == self.count:
            return
        if self.rows and self.subjects != list(outputs):
            return  # a second loader with other subjects
        self.subjects = list(outputs)
        index = (batch_idx // interval) % len(outputs["input"])
        side = min(SIDE, outputs["input"].shape[-1])
        chosen = torch.stack([outputs[subject][index] for subject in self.subjects])
        self.rows.append(list(at_side(chosen.float(), side).cpu()))

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the sheet into the run's folder."""
        folder = trainer.log_dir  # asked for by every process: they agree on it
        if not self.rows or folder is None or not trainer.is_global_zero:
            return
        path = Path(folder) / f"{'_'.join(self.subjects)}.png"
        with atomic_write(path) as part:
            # Photographs at their own scale have several sizes, and a sheet has one.
            side = min(row[0].shape[-1] for row in self.rows)
            rows = [list(at_side(torch.stack(row), side)) for row in self.rows]
            sheet(rows).save(part, "png")
