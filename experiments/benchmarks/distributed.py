"""Training by DDP against training without it, at equal global batch.

On the CPU two processes with one thread each are compared with one that has two. On a GPU the
overhead of DDP itself is measured on one device, and each device more at the same batch per device.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything

from experiments.benchmarks.setting import Setting, Table, child
from experiments.benchmarks.timing import now, summary
from experiments.benchmarks.training import base_trainer, training
from magenet.allocator import keep_freed_memory

LOSSES = 10
"""Steps whose losses are compared."""

STEPS = LOSSES + 2
"""Steps of each training; the first two are not timed."""

RUNS = {"1 process, 2 threads": (1, 2), "2 processes, 1 thread each": (2, 1)}


class Record(Callback):
    """Callback that records the end of each step and the loss over all ranks."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.losses: list[torch.Tensor] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: object
    ) -> None:
        """Record the time and this rank's loss."""
        self.ends.append(now(pl_module.device))
        self.losses.append(outputs["loss"].detach().float())

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Average the losses over the ranks, after the last step so that no step is delayed."""
        mean = trainer.strategy.reduce(torch.stack(self.losses), reduce_op="mean")
        self.losses = list(mean)


def train(arguments: dict[str, Any]) -> dict[str, Any] | None:
    """Train for :data:`STEPS` steps; return the times between them and the losses, on rank 0.

    Args:
        arguments: `processes, threads, folder, strategy, accelerator` and the arguments of
            :func:`training.training`.
    """
    keys = ("processes", "threads", "folder", "strategy", "accelerator")
    processes, threads, folder, strategy, accelerator = (arguments.pop(key) for key in keys)
    torch.set_num_threads(threads)
    keep_freed_memory()  # as `magenet fit` does
    warnings.simplefilter("ignore")
    seed_everything(0, verbose=False)
    model, data = training(**arguments)
    trainer = base_trainer(
        folder, STEPS, accelerator=accelerator, devices=processes, strategy=strategy
    )
    record = Record()
    trainer.callbacks.append(record)  # type: ignore[attr-defined]
    trainer.fit(model, data)
    if not trainer.is_global_zero:
        return None
    gaps = [after - before for before, after in zip(record.ends, record.ends[1:], strict=False)]
    return {"gaps": gaps[1:], "losses": [float(loss) for loss in record.losses[:LOSSES]]}


def measure(setting: Setting) -> list[Table]:
    """Return throughput and losses of the runs of a device."""
    return on_cpu(setting) if setting.device.type == "cpu" else on_gpu(setting)


def common_arguments(setting: Setting, workers: int) -> dict[str, Any]:
    """Return the arguments that all runs share."""
    Path(setting.folder / "runs").mkdir(exist_ok=True)
    return {
        "kind": "supervised", "network": setting.network, "size": setting.size, "workers": workers,
        "manifest": str(setting.photographs["many"]), "cache": str(setting.cache),
        "folder": str(setting.folder / "runs"),
    }  # fmt: skip


def on_gpu(setting: Setting, accelerator: str = "cuda", devices: int | None = None) -> list[Table]:
    """Return throughput without DDP and with it, on one device and on all.

    Args:
        setting: Options of the run.
        accelerator: As Lightning names it.
        devices: Number of devices; all of the machine if None.
    """
    count = torch.cuda.device_count() if devices is None else devices
    runs = {"without DDP": (1, "auto"), "DDP, 1 device": (1, "ddp")}
    if count > 1:
        runs[f"DDP, {count} devices"] = (count, "ddp")
    table = Table(
        f"DDP, {setting.network}, {setting.size} px, {setting.batch} photographs a device",
        {
            "photographs/s": "photographs of a step over the median time between the ends of two "
            "steps of a supervised training, loading from a cache by 4 workers.",
            "over without": "photographs a second over those without DDP.",
            "failed": "why there is no number.",
        },
    )
    common = common_arguments(setting, workers=4)
    alone = None
    for name, (processes, strategy) in runs.items():
        arguments = {
            **common, "processes": processes, "threads": torch.get_num_threads(),
            "strategy": strategy, "accelerator": accelerator, "batch": setting.batch,
        }  # fmt: skip
        found = child("distributed", arguments, torch.get_num_threads())
        if "failed" in found:
            table.rows[name] = {"failed": found["failed"]}
            continue
        timing = summary(found["gaps"])
        table.rows[name] = {"photographs/s": timing.rate(processes * setting.batch)}
        if alone is None:
            alone = timing
        else:
            ratio = alone.over(timing)
            assert isinstance(ratio, dict)
            table.rows[name]["over without"] = {k: processes * v for k, v in ratio.items()}
    return [table]


def on_cpu(setting: Setting) -> list[Table]:
    """Return throughput and losses of one process and of two."""
    batch = setting.batch + setting.batch % 2
    common = common_arguments(setting, workers=0)
    gaps: dict[str, list[float]] = {name: [] for name in RUNS}
    losses: dict[str, list[float]] = {}
    table = Table(
        f"Two processes against one, {setting.network}, {setting.size} px, global batch {batch}",
        {
            "photographs/s": "global batch over the median time between the ends of two steps of "
            "a supervised training on the CPU (gloo), loading from a cache in the same process.",
            "ratio": "photographs a second of two processes over those of one.",
            "largest difference": f"of the losses of the first {LOSSES} steps, relative to the "
            "one process's; the same photographs are in the same step of both.",
            "failed": "why there is no number.",
        },
    )
    start = time.perf_counter()
    while not losses or time.perf_counter() - start < setting.seconds:
        for name, (processes, threads) in RUNS.items():
            arguments = {
                **common, "processes": processes, "threads": threads, "batch": batch // processes,
                "strategy": "ddp" if processes > 1 else "auto", "accelerator": "cpu",
            }  # fmt: skip
            found = child("distributed", arguments, threads)
            if "failed" in found:
                table.rows[name] = {"failed": found["failed"]}
                return [table]
            gaps[name] += found["gaps"]
            losses[name] = found["losses"]
    one, two = (summary(gaps[name]) for name in RUNS)
    single, double = losses.values()
    for name, timing in zip(RUNS, (one, two), strict=True):
        table.rows[name] = {"photographs/s": timing.rate(batch)}
    table.rows["two over one"] = {
        "ratio": one.over(two),
        "largest difference": max(abs(b / a - 1) for a, b in zip(single, double, strict=True)),
    }
    side_by_side = Table(
        "Losses of the first steps", dict.fromkeys(RUNS, "loss, mean over the global batch.")
    )
    for step, values in enumerate(zip(single, double, strict=True)):
        side_by_side.rows[f"step {step}"] = dict(zip(RUNS, values, strict=True))
    return [table, side_by_side]


if __name__ == "__main__":
    result = train(json.loads(sys.argv[1]))
    if result is not None:
        print(json.dumps(result))
