"""Checkpoint of the latest training state, to resume an interrupted run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class ResumePoint(Callback):
    """Checkpoint every `every_n_steps` steps; the new file is complete before the old is deleted.

    Never at an epoch's last batch: a checkpoint saved there, before Lightning has counted the
    epoch, resumes one epoch too far (Lightning 2.6.6); the first batch of the next epoch saves
    instead. A run with epochs of a single batch therefore has no resume point.

    Args:
        every_n_steps: Optimizer steps between checkpoints.

    Raises:
        ValueError: If it is not positive.
    """

    def __init__(self, every_n_steps: int = 100) -> None:
        if every_n_steps < 1:
            raise ValueError(f"resume_point.every_n_steps must be positive, got {every_n_steps}")
        self.every_n_steps = every_n_steps
        self.saved_step = 0
        self.seen_step = 0
        self.path: Path | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start counting at the current step."""
        self.saved_step = self.seen_step = trainer.global_step
        self.path = None

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *batch: Any) -> None:
        """Save if enough steps have passed and the optimizer has just stepped."""
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
