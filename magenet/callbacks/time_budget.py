"""A training that ends at a time."""

from __future__ import annotations

import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from magenet.tasks.base import FundusTask


class TimeBudget(Callback):
    """End a training at a time, and let its schedule follow the clock.

    The learning rate is then a function of the share of the time that has passed, so that a machine
    of unknown speed uses all of it and ends with a learning rate that has fallen. The time of a
    training that is resumed counts. At the end the network is validated as usual. Where the
    training has its number of steps done before that time, the schedule is that of the steps.

    Args:
        end: When the training ends, in seconds since 1970, as `time.time()` tells it.
    """

    def __init__(self, end: float) -> None:
        self.end = end
        self.begun = time.time()
        self.spent_before = 0.0
        self.first_step = 0
        self.most_steps = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the time spent so far, for checkpoints."""
        return {"seconds": self.spent_before + time.time() - self.begun}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Add the time that was spent before a checkpoint."""
        self.spent_before = state_dict["seconds"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self.begun = time.time()
        self.first_step = trainer.global_step
        self.most_steps = 0  # the task counts them after this

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, *batch: Any
    ) -> None:
        """Tell the schedule how many steps the training will have had at its end."""
        assert isinstance(pl_module, FundusTask)  # whose schedule is a function of its total steps
        self.most_steps = self.most_steps or pl_module.total_steps
        passed = max(1e-6, time.time() - self.begun)
        whole = self.spent_before + max(passed, self.end - self.begun)
        # One clock for all ranks: their learning rates must not differ.
        share = trainer.strategy.broadcast((self.spent_before + passed) / whole)
        # The schedule looks up the step that this batch completes.
        steps = max(1, round((trainer.global_step + 1) / share))
        pl_module.total_steps = min(steps, self.most_steps)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *batch: Any) -> None:
        """Stop after the end, on all ranks at the same step, and not before the first one.

        Lightning saves no best checkpoint of a validation without one.
        """
        late = time.time() >= self.end and trainer.global_step > self.first_step
        if trainer.strategy.reduce_boolean_decision(late, all=False):
            trainer.should_stop = True
