"""Checkpoints of the latest training state, to resume an interrupted run."""

from __future__ import annotations

import math
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from magenet.errors import StoppedError

KEPT = 2
"""Resume points that are kept: if the latest is damaged, there is the one before."""

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)
)
"""Signals by which a person (Ctrl-C) or a scheduler stops a training; Windows has no SIGUSR1."""


class ResumePoint(Callback):
    """Checkpoint every `every_n_steps` steps, and when Ctrl-C, SIGTERM or SIGUSR1 stops a training.

    The two latest are kept. After a signal the training saves, and the process exits with 128 plus
    the number of the signal, as shells report it: 130 for Ctrl-C, 143 for SIGTERM, 138 for SIGUSR1.
    A second Ctrl-C stops at once.

    Never at an epoch's last batch: a checkpoint saved there, before Lightning has counted the
    epoch, resumes one epoch too far (Lightning 2.6.6); the first batch of the next epoch saves
    instead. A run with epochs of a single step therefore has no resume point, as it
    says at its start. Nor where a validation is due: a training resumed from there would go on
    without it, and at its last step end without a checkpoint that one has chosen.

    A training, or one that was resumed, that ends before its first validation, which would have
    chosen a checkpoint, is saved at its last step.

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
        self.paths: list[Path] = []
        self.signal: int | None = None
        self.stopping = False
        self.folder: Path | None = None
        self.can_save = False
        self.validated = False
        self.chosen_before: tuple[str, ...] = ()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start counting at the current step, and handle the signals until Lightning's teardown."""
        self.saved_step = self.seen_step = trainer.global_step
        self.paths = []
        self.signal, self.stopping = None, False
        folder: str | None = trainer.strategy.broadcast(trainer.log_dir)
        self.folder = None if folder is None else Path(folder, "checkpoints")
        self.validated, self.chosen_before = False, _chosen(trainer)
        several = trainer.num_training_batches > trainer.accumulate_grad_batches
        self.can_save = several and folder is not None
        if not several and trainer.is_global_zero:
            print(
                "an epoch has one step: Ctrl-C will save nothing; make epochs longer "
                "(--data.steps, --trainer.limit_train_batches)",
                file=sys.stderr,
            )
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Note a signal: only after a step is the state one that can be resumed."""
        if number == self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number
        if number == signal.SIGINT:
            print("\nmagenet: saving after this step; press Ctrl-C again to stop now", flush=True)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *batch: Any) -> None:
        """Save if the optimizer has just stepped and a signal came or enough steps have passed."""
        if trainer.global_step == self.seen_step:
            return
        self.seen_step = trainer.global_step
        stop = trainer.strategy.reduce_boolean_decision(self.signal is not None, all=False)
        due = stop or trainer.global_step - self.saved_step >= self.every_n_steps
        at_border = trainer.is_last_batch or _validation_is_due(trainer)
        if due and self.can_save and not at_border:
            self._save(trainer)
        # Where no state can be saved there is none to wait for.
        self.stopping = stop and not (self.can_save and at_border)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, *batch: Any
    ) -> None:
        """Finish a resume point; see :meth:`_finish`."""
        self._finish(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Finish a resume point; see :meth:`_finish`."""
        self._finish(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that a checkpoint could be chosen."""
        self.validated = self.validated or not trainer.sanity_checking

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the last step if no validation has chosen a checkpoint: else it would be lost."""
        if self.folder is None or trainer.checkpoint_callback is None or self.validated:
            return
        if _chosen(trainer) != self.chosen_before:  # those before a resume are in another folder
            return
        if self.saved_step != trainer.global_step:
            self._save(trainer)
        if trainer.is_global_zero and self.paths:
            print(
                "magenet: the training ended before its first validation; its last step, unscored: "
                f"{self.paths[-1]}",
                file=sys.stderr,
            )

    def _finish(self, trainer: Trainer) -> None:
        """Write what was logged up to the latest resume point, then stop if a signal came.

        Lightning logs a step after the end of its batch, so this is in the next hook.

        Raises:
            StoppedError: After a signal.
        """
        if self.saved_step == trainer.global_step:
            for logger in trainer.loggers:
                logger.save()
        if self.stopping:
            number = signal.SIGTERM if self.signal is None else self.signal  # None: another rank's
            after = f"go on with --ckpt_path {self.paths[-1]}" if self.paths else "nothing is saved"
            raise StoppedError(f"stopped by {signal.Signals(number).name}; {after}", 128 + number)

    def _save(self, trainer: Trainer) -> None:
        """Save the state, and delete all but the latest :data:`KEPT`."""
        assert self.folder is not None  # checked by the caller
        path = self.folder / f"step_{trainer.global_step:06d}.ckpt"
        trainer.save_checkpoint(path)
        self.saved_step = trainer.global_step
        self.paths.append(path)
        for old in self.paths[:-KEPT]:
            trainer.strategy.remove_checkpoint(old)
        self.paths = self.paths[-KEPT:]


def _validation_is_due(trainer: Trainer) -> bool:
    """Return whether a validation follows this batch; not where one follows every step.

    There it could never be saved otherwise, nor stopped.
    """
    every = trainer.val_check_batch
    if every is None or math.isinf(every) or every <= trainer.accumulate_grad_batches:
        return False
    loop = trainer.fit_loop
    across_epochs = trainer.check_val_every_n_epoch is None
    batch = loop.total_batch_idx if across_epochs else loop.batch_idx
    return (batch + 1) % every == 0


def _chosen(trainer: Trainer) -> tuple[str, ...]:
    """Return the checkpoints that are chosen so far."""
    best = trainer.checkpoint_callback
    return (best.best_model_path, best.last_model_path) if isinstance(best, ModelCheckpoint) else ()
