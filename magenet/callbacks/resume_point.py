"""The latest state of a training on disk, so that a kill costs minutes and not hours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class ResumePoint(Callback):
    """Save the training every so many steps; the new file is whole before the old one goes.

    Never at an epoch's last batch: a checkpoint taken there, before Lightning has counted the
    epoch, is resumed one epoch too far (Lightning 2.6.6). The first batch of the next epoch is
    as good. An epoch of a single batch therefore has no resume point.

    Args:
        every_n_steps: Optimizer steps from one to the next.

    Raises:
        ValueError: If that is not positive.
    """

    def __init__(self, every_n_steps: int = 100) -> None:
        if every_n_steps < 1:
            raise ValueError(f"resume_point.every_n_steps must be positive, got {every_n_steps}")
        self.every_n_steps = every_n_steps
        self.saved_step = 0
        self.seen_step = 0
        self.path: Path | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count from here."""
        self.saved_step = self.seen_step = trainer.global_step
        self.path = None

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *batch: Any) -> None:
        """Save, if it is time and the optimizer has just stepped."""
        stepped = trainer.global_step > self.seen_step
        self.seen_step = trainer.global_step
        due = trainer.global_step - self.saved_step >= self.every_n_steps
        if not (stepped and due) or trainer.is_last_batch or trainer.log_dir is None:
            return
        folder = Path(trainer.strategy.broadcast(trainer.log_dir)) / "checkpoints"
        path = folder / f"step_{trainer.global_step:06d}.ckpt"
        trainer.save_checkpoint(path)
        if self.path is not None and trainer.is_global_zero:
            self.path.unlink(missing_ok=True)
        self.path, self.saved_step = path, trainer.global_step
