"""Sheets of test photographs before and after enhancement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from magenet.atomic_write import atomic_write
from magenet.imaging.contact_sheet import sheet


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
        self.rows.append([outputs[subject][index].cpu() for subject in self.subjects])

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the sheet into the run's folder."""
        folder = trainer.log_dir  # asked for by every process: they agree on it
        if not self.rows or folder is None or not trainer.is_global_zero:
            return
        path = Path(folder) / f"{'_'.join(self.subjects)}.png"
        with atomic_write(path) as part:
            sheet(self.rows).save(part, "png")
