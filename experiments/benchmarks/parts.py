"""Share of each part of a training step, by timing the Trainer's calls."""

from __future__ import annotations

import functools
import statistics
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.profilers import Profiler

from experiments.benchmarks.setting import Setting, Table
from experiments.benchmarks.timing import now, summary
from experiments.benchmarks.training import base_trainer, training
from magenet.tasks import MeanTeacherTask
from magenet.tasks.enhancement import EnhancementTask

PARTS = {
    "loading": "waiting for the loader (workers decode beside the step; one each for pairs and "
    "real photographs, from a cache of decoded photographs).",
    "transfer": "moving the batch to the device.",
    "preparation": "the data module's `prepare`: floats, orientation, degradation, strong view.",
    "student forward": "the student's forward, autocast included.",
    "teacher forward": "the teacher's forward.",
    "losses": "enhancement, structure with its target, consistencies.",
    "backward": "the backward pass, Lightning's calls around it included.",
    "clipping": "clipping the gradients.",
    "optimizer": "Adam's step and zeroing the gradients.",
    "ema": "moving the teacher.",
    "logging": "`self.log`, `self.log_dict` and the logger, which writes every 10 steps.",
    "rest": "all other time between one step and the next: Lightning's loops and hooks.",
}

HOOKS = {
    "train_dataloader_next": "loading", "batch_to_device": "transfer", "backward": "backward",
    "configure_gradient_clipping": "clipping", "optimizer_zero_grad": "optimizer",
    "training_step": "rest",
}  # fmt: skip
"""Part that a hook of Lightning's profiler belongs to, by the end of the hook's name."""

Step = tuple[float, defaultdict[str, float]]
"""Seconds of a step, and of each of its parts."""

WARM_UP = 2
"""First steps of each training that are not counted."""


class Stopwatch(Profiler):
    """Profiler that attributes all time of a training to the innermost active part.

    Args:
        device: Device of the training; a GPU is synchronised whenever the part changes.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device
        self.stack = ["rest"]
        self.spent: defaultdict[str, float] = defaultdict(float)
        self.since = self.begun = time.perf_counter()
        self.steps: list[Step] = []

    def enter(self, part: str) -> None:
        """Begin a part; the enclosing part is paused."""
        self._settle()
        self.stack.append(part)

    def leave(self) -> None:
        """End the innermost part."""
        self._settle()
        self.stack.pop()

    def _settle(self) -> None:
        """Add the time since the last change to the innermost part."""
        moment = now(self.device)
        self.spent[self.stack[-1]] += moment - self.since
        self.since = moment

    def start(self, action_name: str) -> None:
        """Begin the part of a hook; a step begins when its batch is requested."""
        hook = action_name.rsplit(".", 1)[-1]
        if hook == "train_dataloader_next":
            self._settle()
            self.steps.append((self.since - self.begun, self.spent))
            self.begun, self.spent = self.since, defaultdict(float)
        if hook in HOOKS:
            self.enter(HOOKS[hook])

    def stop(self, action_name: str) -> None:
        """End the part of a hook."""
        if action_name.rsplit(".", 1)[-1] in HOOKS:
            self.leave()

    def watch(self, part: str, owner: Any, *names: str) -> None:
        """Attribute calls of an object's methods to a part."""
        for name in names:
            setattr(owner, name, self._timed(part, getattr(owner, name)))

    def _timed(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a callable whose time is attributed to a part."""

        @functools.wraps(call)
        def timed(*arguments: Any, **named: Any) -> Any:
            self.enter(part)
            try:
                return call(*arguments, **named)
            finally:
                self.leave()

        return timed


class WatchOptimizer(Callback):
    """Callback that times the optimizer, which exists only after the start of training."""

    def __init__(self, watch: Stopwatch) -> None:
        self.stopwatch = watch

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Wrap its step; the parts inside its closure are attributed separately."""
        self.stopwatch.watch("optimizer", trainer.optimizers[0], "step")


def run(setting: Setting, kind: str) -> list[Step]:
    """Return the seconds of each counted step of a training, and of its parts."""
    task, data = training(
        kind, setting.network, str(setting.photographs["many"]), str(setting.cache),
        setting.size, setting.batch, workers=1,
    )  # fmt: skip
    # One step more: the start of the next step marks the end of the last counted one.
    trainer = base_trainer(
        setting.folder / "runs", WARM_UP + setting.steps + 1, devices=1,
        accelerator="gpu" if setting.device.type == "cuda" else "cpu",
    )  # fmt: skip
    watch = Stopwatch(setting.device)
    trainer.profiler = watch  # type: ignore[attr-defined]
    trainer.callbacks.append(WatchOptimizer(watch))  # type: ignore[attr-defined]
    wrap(watch, task)
    watch.watch("preparation", data, "prepare")
    watch.watch("logging", trainer.logger, "log_metrics", "save")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about few workers and deprecated calls, as in `magenet`
        trainer.fit(task, data)
    return watch.steps[1 + WARM_UP :][: setting.steps]


def wrap(watch: Stopwatch, task: EnhancementTask) -> None:
    """Time the parts of a task."""
    watch.watch("student forward", task.student, "forward")
    watch.watch("losses", task, "supervised_terms")
    watch.watch("logging", task, "log", "log_dict")
    if isinstance(task, MeanTeacherTask):
        watch.watch("teacher forward", task.teacher.network, "forward")
        watch.watch("losses", task.consistency_loss, "forward")
        watch.watch("ema", task.teacher, "update")


def measure(setting: Setting) -> list[Table]:
    """Return the parts of a supervised and of a teacher-student step, and their ratio."""
    kinds = ("supervised", "mean teacher")
    steps: dict[str, list[Step]] = {kind: [] for kind in kinds}
    start = time.perf_counter()
    Path(setting.folder / "runs").mkdir(exist_ok=True)
    while not all(steps.values()) or time.perf_counter() - start < setting.seconds:
        for kind in kinds:
            steps[kind] += run(setting, kind)
    table = Table(
        f"Parts of a training step, {setting.network}, {setting.size} px, {setting.batch} pairs "
        f"(+ {setting.batch} real)",
        {
            "median step": "from one step's wait for its batch to the next one's.",
            "mean step": "the same, mean over the steps, as all parts below: they add up to it. On "
            "a GPU the stopwatch waits for the device at every change of part, which makes steps "
            "longer.",
            **PARTS,
        },
    )
    for kind in kinds:
        mean = statistics.mean(wall for wall, _ in steps[kind])
        parts = {p: statistics.mean(spent[p] for _, spent in steps[kind]) for p in PARTS}
        table.rows[f"{kind}, ms"] = {
            "median step": summary([wall for wall, _ in steps[kind]]).milliseconds(),
            "mean step": round(1e3 * mean, 3),
            **{part: round(1e3 * value, 3) for part, value in parts.items()},
        }
        table.rows[f"{kind}, %"] = {p: round(100 * value / mean, 3) for p, value in parts.items()}
    one, two = (summary([wall for wall, _ in steps[kind]]) for kind in kinds)
    ratio = Table(
        "Teacher-student over supervised",
        {"ratio": "median teacher-student step over median supervised step, equal pairs a batch."},
        {"step time": {"ratio": two.over(one)}},
    )
    return [table, ratio]
