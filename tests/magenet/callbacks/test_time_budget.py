"""A training that lasts for a time: its schedule follows the clock, also where it is resumed."""

import time
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from magenet.callbacks import StepProgress, TimeBudget
from magenet.callbacks import time_budget as module
from magenet.tasks.base import learning_rate_factor
from tests.magenet.tasks.tiny import data, task, trainer

STEP = 10.0
"""Seconds that each training step takes, on the clock of these tests."""


class Clock(Callback):
    """Lets time pass from step to step, and notes the learning rate of each."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.rates: list[float] = []
        self.validated: list[int] = []
        patch.setattr(module.time, "time", lambda: self.now)

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Any
    ) -> None:
        self.rates.append(optimizer.param_groups[0]["lr"])
        self.now += STEP

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.validated.append(trainer.global_step)


def options(folder: Path, *callbacks: Callback) -> dict[str, Any]:
    saved = ModelCheckpoint(folder, "{step}", every_n_train_steps=1, save_top_k=-1)
    return {
        "max_steps": 10**9, "max_epochs": -1, "enable_checkpointing": True,
        "check_val_every_n_epoch": None, "val_check_interval": 1000, "limit_train_batches": 4,
        "callbacks": [*callbacks, saved],
    }  # fmt: skip


def test_a_training_ends_in_time_with_a_low_rate_and_a_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    budget = TimeBudget(clock.now + 10 * STEP)
    run = trainer(tmp_path, **options(tmp_path, clock, budget))
    run.fit(task(warm_up=0.01, decay=0.5), data())
    assert run.global_step == len(clock.rates) == 10
    assert clock.validated == [10], "once, at the end"
    half, rest = clock.rates[2:7], clock.rates[6:]
    assert half == pytest.approx([half[0]] * 5), "constant over the first half"
    assert rest == sorted(rest, reverse=True)
    # The schedule is that of the time when the last but one step began; steps are whole numbers.
    assert rest[-1] == pytest.approx(half[0] * learning_rate_factor(0.8, 0.01, 0.5), rel=0.2)


def test_where_the_steps_are_done_earlier_the_schedule_is_that_of_the_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a fast machine would end with the learning rate and the ramp of a beginning."""
    clock = Clock(monkeypatch)
    budget = TimeBudget(clock.now + 1000 * STEP)
    run = trainer(tmp_path, **options(tmp_path, clock, budget) | {"max_steps": 10})
    run.fit(task(warm_up=0.01, decay=0.5), data())
    assert run.global_step == 10
    assert clock.rates[-1] < 0.3 * clock.rates[4]


def test_the_line_of_progress_counts_to_the_steps_there_will_have_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, line = Clock(monkeypatch), StepProgress()
    budget = TimeBudget(clock.now + 10 * STEP)
    run = trainer(
        tmp_path, **options(tmp_path, clock, budget, line) | {"enable_progress_bar": True}
    )
    run.fit(task(), data())
    assert line.total == pytest.approx(10, abs=1), "and not the steps at most"


def test_a_resumed_training_goes_on_where_its_clock_stood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    whole = options(tmp_path, clock, TimeBudget(clock.now + 10 * STEP))
    trainer(tmp_path, **whole).fit(task(warm_up=0.01, decay=0.9), data())
    uninterrupted = list(clock.rates)
    clock.now, clock.rates = 9000.0, []
    again = options(tmp_path / "again", clock, TimeBudget(clock.now + 5 * STEP))
    run = trainer(tmp_path, **again)
    middle = tmp_path / "step=5.ckpt"
    run.fit(task(warm_up=0.01, decay=0.9), data(), ckpt_path=middle, weights_only=True)
    assert run.global_step == 10
    assert clock.rates == pytest.approx(uninterrupted[5:], rel=0.05)
    assert time.time() == clock.now


def test_a_training_that_comes_too_late_still_makes_a_step(tmp_path: Path) -> None:
    late = options(tmp_path, TimeBudget(time.time() - 60))
    run = trainer(tmp_path, accumulate_grad_batches=3, **late)
    run.fit(task(), data())
    assert run.global_step == 1
