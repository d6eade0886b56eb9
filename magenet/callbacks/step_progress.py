"""Progress of a run in one line: the step, of how many, the time left, scores by plain names."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, ProgressBar
from tqdm import tqdm

from magenet.plain_names import duration, plain_name
from magenet.tasks.base import FundusTask

SCREEN_INTERVAL, LOG_INTERVAL = 0.5, 30.0
"""Least seconds between two states, on a terminal and in a file (our choice)."""

FORMAT = "{desc} |{bar:12}|"


class StepProgress(ProgressBar):
    """Line that moves by time: at the end of a step, if the last state is old enough.

    By time, since a fixed number of steps is a standstill where they are slow, and each state makes
    the host wait for the device to read the scores, which costs speed where they are fast.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bar: tqdm[Any] | None = None
        self.enabled = True
        self.total = math.inf
        """Steps of a training, batches of another stage."""
        self.done = self.before = 0
        """Of them those that are done, and those that were at the start of this process."""
        self.validated = 0
        """Batches of the validation under way in a training."""
        self.begun = self.drawn = 0.0

    def disable(self) -> None:
        """Show nothing: on all ranks but the first."""
        self.enabled = False

    def enable(self) -> None:
        """Show the line."""
        self.enabled = True

    def print(self, *words: Any, **options: Any) -> None:
        """Print above the line."""
        if self.bar is None:
            super().print(*words, **options)
        else:
            self.bar.write(options.get("sep", " ").join(map(str, words)))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start with the steps that an earlier process has done."""
        self._start(float(trainer.estimated_stepping_batches), trainer.global_step)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *step: Any) -> None:
        """Count the steps of the optimizer, and of how many: by the clock that changes."""
        self.done = trainer.global_step
        if isinstance(pl_module, FundusTask):
            self.total = float(max(self.done, pl_module.total_steps))
        self._draw_if_old()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the last state."""
        self._end()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the line, unless that of a training is there."""
        self.validated = 0
        if trainer.state.fn == "validate":
            self._start(_sum(trainer.num_val_batches))

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *step: Any
    ) -> None:
        """Count batches."""
        if trainer.state.fn == "fit":
            self.validated += 1
        else:
            self.done += 1
        self._draw_if_old()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the new scores."""
        self.validated = 0
        if trainer.state.fn == "fit":
            self._draw_if_old()
        else:
            self._end()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the line."""
        self._start(_sum(trainer.num_test_batches))

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, *step: Any) -> None:
        """Count batches."""
        self.done += 1
        self._draw_if_old()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the last state."""
        self._end()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the line."""
        self._start(_sum(trainer.num_predict_batches))

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *step: Any
    ) -> None:
        """Count batches."""
        self.done += 1
        self._draw_if_old()

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the last state."""
        self._end()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Leave the last state, so that what is printed next has a line of its own."""
        self._close()

    def state(self) -> str:
        """Return the text of the line."""
        assert self.trainer.state.fn is not None  # while it runs
        function = self.trainer.state.fn.value
        fitting = function == "fit"
        parts = [f"{VERBS[function]}: {'step' if fitting else 'batch'} {self.done:,}"]
        if math.isfinite(self.total):
            parts[0] += f" of {int(self.total):,}"
            if self.before < self.done < self.total:
                each = (time.monotonic() - self.begun) / (self.done - self.before)
                parts.append(f"{duration(each * (self.total - self.done))} left")
        if self.validated:
            batches = _sum(self.trainer.num_val_batches)
            parts.append(f"validation: batch {self.validated} of {batches:.0f}")
        elif fitting:
            parts += self._scores()
        return ", ".join(parts)

    def _scores(self) -> list[str]:
        """Return the loss, the score by which the best checkpoint is chosen, and its best value."""
        shown = self.trainer.progress_bar_metrics
        keys = ["train/loss"]
        best = ""
        checkpoint = self.trainer.checkpoint_callback
        if isinstance(checkpoint, ModelCheckpoint) and checkpoint.monitor:
            keys.append(checkpoint.monitor)
            if checkpoint.best_model_score is not None:
                best = f" (best {float(checkpoint.best_model_score):.4g})"
        texts = [f"{plain_name(key)} {float(shown[key]):.4g}" for key in keys if key in shown]
        return [*texts[:-1], texts[-1] + best] if len(texts) == len(keys) else texts

    def _start(self, total: float, done: int = 0) -> None:
        """Open the line."""
        self.total, self.done, self.before = total, done, done
        self.begun = self.drawn = time.monotonic()
        if self.enabled:
            known = total if math.isfinite(total) else None
            self.bar = tqdm(
                desc=self.state(), total=known, initial=done, bar_format=FORMAT,
                dynamic_ncols=True, file=sys.stdout,
            )  # fmt: skip

    def _draw_if_old(self) -> None:
        """Draw the state if the last one is old enough."""
        if self.bar is not None:
            interval = SCREEN_INTERVAL if sys.stdout.isatty() else LOG_INTERVAL
            if time.monotonic() - self.drawn >= interval:
                self._draw()

    def _draw(self) -> None:
        """Draw the state."""
        if self.bar is not None:
            self.bar.n = self.done
            self.bar.total = self.total if math.isfinite(self.total) else None
            self.bar.set_description_str(self.state())
            self.drawn = time.monotonic()

    def _end(self) -> None:
        """Draw the last state and leave it."""
        self._draw()
        self._close()

    def _close(self) -> None:
        """Close the line."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


VERBS = {"fit": "training", "validate": "validating", "test": "testing", "predict": "enhancing"}
"""What is said to be done, by the function of the trainer."""


def _sum(batches: Any) -> float:
    """Return the number of batches of all loaders."""
    return float(sum(batches) if isinstance(batches, list) else batches)
