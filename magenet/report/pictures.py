"""Pictures for people: what came in, what came out, what was wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from PIL import Image
from torch import Tensor

GAP = 4
"""Pixels between the photographs of a sheet."""


def sheet(rows: Sequence[Sequence[Tensor]]) -> Image.Image:
    """Return photographs side by side.

    Args:
        rows: Photographs `(3, S, S)` in [0, 1], all of one size, as many in each row.
    """
    lines = [
        torch.cat([torch.nn.functional.pad(p.float().cpu(), (0, GAP, 0, GAP)) for p in row], dim=2)
        for row in rows
    ]
    whole = (torch.cat(lines, dim=1)[:, :-GAP, :-GAP].clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(whole.permute(1, 2, 0).contiguous().numpy())


class BeforeAfterPictures(Callback):
    """Write a sheet of test photographs: input, then each network's result, then clean.

    Args:
        count: Photographs on the sheet, spread over the test.
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
        every = max(1, batches // self.count)
        if not isinstance(outputs, dict) or batch_idx % every or len(self.rows) == self.count:
            return
        if self.rows and self.subjects != list(outputs):
            return  # of a second loader, whose photographs have nothing to be compared with
        self.subjects = list(outputs)
        place = (batch_idx // every) % len(outputs["input"])
        self.rows.append([outputs[subject][place].cpu() for subject in self.subjects])

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the sheet into the run's folder."""
        if not self.rows or trainer.log_dir is None or not trainer.is_global_zero:
            return
        path = Path(trainer.log_dir) / f"{'_'.join(self.subjects)}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet(self.rows).save(path)
