"""Speed of the degradation, and its share of a training step.

Command:  make bench-degradation
Hardware: 2 CPU cores, or a GPU with --device cuda.
Time:     about 8 minutes.
Writes:   experiments/results/degradation_speed.json.

Compare ratios within one run: absolute numbers depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor
from tqdm import tqdm

from data_modules import AdaptationDataModule, PairedDataModule, PhantomPhotographs
from data_modules.base import FundusDataModule
from data_modules.batch import Batch
from data_modules.datasets.phantom import draw_phantom
from experiments.benchmarks.networks import sized
from experiments.benchmarks.timing import median_of, now
from magenet.callbacks.provenance import commit
from magenet.degradation import CofeDegradation, CounterRNG, Degradation, FundusDegradation
from magenet.tasks import MeanTeacherTask, SupervisedTask
from magenet.tasks.enhancement import EnhancementTask

BUDGET = 0.5
"""Seconds for which each measurement is repeated."""

COFE_SCRIPT = {"images_per_s_512": 13.6, "cost_growth_256_to_1024": 54.0}
"""cofe-Net's script on one core of the same kind, measured by us once; not run here."""


def photographs(count: int, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return phantoms and their masks: eight different ones, repeated."""
    phantoms = [draw_phantom(seed, size) for seed in range(min(count, 8))]
    image = torch.stack([p.image for p in phantoms]).float() / 255
    mask = torch.stack([p.field.mask for p in phantoms]).float()
    repeats = -(-count // len(phantoms))
    image, mask = (t.repeat(repeats, 1, 1, 1)[:count].to(device) for t in (image, mask))
    return image * mask, mask


def rates(options: argparse.Namespace, device: torch.device) -> list[dict[str, object]]:
    """Return photographs a second of the recipes and of each factor, random numbers included."""
    cofe, fundus = CofeDegradation(), FundusDegradation()
    recipes: dict[str, Degradation] = {"cofe": cofe, "fundus": fundus}
    threads = sorted({1, os.cpu_count() or 1}) if device.type == "cpu" else [1]
    settings = [(s, b, t) for s in options.sizes for b in options.batches for t in threads]
    rows: list[dict[str, object]] = []
    before = torch.get_num_threads()  # which what is measured next is to have
    for size, batch, count in tqdm(settings, desc="degradation", unit="setting"):
        torch.set_num_threads(count)
        image, mask = photographs(batch, size, device)
        # As many batches as contain each of the seven types equally often (at batch 32 almost).
        rngs = [
            CounterRNG(torch.arange(batch) + 1000 * k) for k in range(max(2, min(7, 56 // batch)))
        ]
        order = torch.randperm(len(rngs) * batch, generator=torch.Generator().manual_seed(0))
        codes = torch.split(order % 7 + 1, batch)
        calls: dict[str, list[Callable[[], object]]] = {
            "cofe, seven types": [
                partial(cofe, image, mask, rng, kinds)
                for rng, kinds in zip(rngs, codes, strict=True)
            ],
            "fundus, mixed": [partial(fundus, image, mask, rng) for rng in rngs],
        }
        for recipe, degrade in recipes.items():
            for name in degrade.factors:
                chosen = {name: torch.ones(batch)}
                calls[f"{recipe}, {name}"] = [
                    partial(one_factor, degrade, image, mask, rngs[0], chosen)
                ]
        for what, batches in calls.items():
            seconds, spread = median_of(partial(run_all, batches), device, BUDGET)
            each = 1e3 / (len(batches) * batch)
            rows.append({
                "what": what, "size": size, "batch": batch, "threads": count,
                "images_per_s": round(1e3 / (seconds * each), 2),
                "ms_per_image": round(seconds * each, 3), "spread_ms": round(spread * each, 3),
            })  # fmt: skip
    torch.set_num_threads(before)
    return rows


def run_all(calls: list[Callable[[], object]]) -> None:
    """Make all calls."""
    for call in calls:
        call()


def one_factor(
    degrade: Degradation, image: Tensor, mask: Tensor, rng: CounterRNG, chosen: dict[str, Tensor]
) -> Tensor:
    """Return photographs degraded by one factor."""
    return degrade.apply(image, mask, degrade.draw_chosen(rng, chosen))


def compiled(device: torch.device) -> dict[str, object]:
    """Return the effect of torch.compile on three fundus factors at 256 px, batch 8."""
    image, mask = photographs(8, 256, device)
    fundus = FundusDegradation()
    drawn = fundus.draw_chosen(
        CounterRNG(torch.arange(8)), {name: torch.ones(8) for name in ("shadow", "flare", "colour")}
    )
    start = time.perf_counter()
    fast = torch.compile(fundus.apply)
    difference = (fast(image, mask, drawn) - fundus.apply(image, mask, drawn)).abs().max()
    took = time.perf_counter() - start
    plain, _ = median_of(lambda: fundus.apply(image, mask, drawn), device, BUDGET)
    quick, _ = median_of(lambda: fast(image, mask, drawn), device, BUDGET)
    return {
        "what": "shadow, flare and colour at 256 px, batch 8",
        "largest_difference": float(difference),
        "compile_s": round(took, 1), "eager_ms": round(plain * 1e3, 2),
        "compiled_ms": round(quick * 1e3, 2),
    }  # fmt: skip


class StepTimer(Callback):
    """Callback that times the preparation of each training batch and the step after it."""

    def __init__(self, module: FundusDataModule, device: torch.device) -> None:
        self.device = device
        self.prepared: list[float] = []
        self.stepped: list[float] = []
        self.started = 0.0
        prepare = module.prepare

        def timed(batch: Batch, training: bool) -> Batch:
            start = now(device)
            result = prepare(batch, training)
            self.prepared.append(now(device) - start)
            return result

        module.prepare = timed  # type: ignore[method-assign]

    def on_train_batch_start(self, *_: object) -> None:
        """Start the clock."""
        self.started = now(self.device)

    def on_train_batch_end(self, *_: object) -> None:
        """Stop the clock, after the updates of the optimizer and the teacher."""
        self.stepped.append(now(self.device) - self.started)


def step_share(options: argparse.Namespace, device: torch.device) -> list[dict[str, object]]:
    """Return the share of a compact training step at 256 px that prepares the batch.

    Preparing is all that happens to the photographs on the device: to floats, orientation,
    degradation and, for the teacher-student, the strong view. Both are timed in a real training.
    """
    torch.set_num_threads(os.cpu_count() or 1)
    size, batch = options.step_size, 8
    rows: list[dict[str, object]] = []
    source = PhantomPhotographs(count=batch, val_count=1)
    other = PhantomPhotographs(count=batch, val_count=1, camera="handheld")
    paired = PairedDataModule(source, image_size=size, batch_size=batch, workers=0)
    both = AdaptationDataModule(source, other, image_size=size, batch_size=batch, workers=0)
    runs: list[tuple[str, FundusDataModule, EnhancementTask]] = [
        ("supervised, 8 pairs", paired, SupervisedTask(sized("compact"))),
        ("mean teacher, 8 pairs, 8 real", both, MeanTeacherTask(sized("compact"))),
    ]
    for name, module, task in runs:
        timer = StepTimer(module, device)
        Trainer(
            accelerator="gpu" if device.type == "cuda" else "cpu", devices=1,
            precision="bf16-mixed", max_steps=options.steps + 2, limit_val_batches=0,
            logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, callbacks=[timer],
        ).fit(task, module)  # fmt: skip
        pairs = list(zip(timer.prepared, timer.stepped, strict=False))[2:]  # after warming up
        shares = [prepared / (prepared + stepped) for prepared, stepped in pairs]
        rows.append({
            "what": name, "size": size, "batch": batch, "threads": torch.get_num_threads(),
            "prepare_ms": round(statistics.median(p for p, _ in pairs) * 1e3, 1),
            "step_ms": round(statistics.median(s for _, s in pairs) * 1e3, 1),
            "share_percent": round(100 * statistics.median(shares), 2),
            "share_percent_greatest": round(100 * max(shares), 2),
        })  # fmt: skip
    return rows


def growth(rows: list[dict[str, object]], sizes: list[int]) -> dict[str, float]:
    """Return cost per photograph at the largest size over the smallest, per growth in pixels."""
    found = {}
    for what in ("cofe, seven types", "fundus, mixed"):
        for batch in sorted({int(str(row["batch"])) for row in rows}):
            cost = {
                int(str(row["size"])): float(str(row["ms_per_image"]))
                for row in rows
                if row["what"] == what and row["threads"] == 1 and row["batch"] == batch
            }
            low, high = min(sizes), max(sizes)
            ratio = cost[high] / cost[low]
            found[f"{what}, batch {batch}"] = round(ratio / (high / low) ** 2, 3)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--steps", type=int, default=5, help="training steps to time")
    parser.add_argument("--step-size", type=int, default=256, help="pixels of the training step")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    rows = rates(options, device)
    result: dict[str, object] = {
        "commit": commit(), "torch": torch.__version__, "cpus": os.cpu_count(),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "rates": rows,
        "cost_growth_over_pixel_growth": growth(rows, options.sizes),
        "training_step": step_share(options, device),
        "compile": None if options.no_compile else compiled(device),
        "peer": COFE_SCRIPT,
    }  # fmt: skip
    for row in rows:
        print(
            f"{row['what']:22} {row['size']:5} px  batch {row['batch']:2}  {row['threads']} threads"
            f"  {row['images_per_s']:8.1f}/s  {row['ms_per_image']:8.2f} ms"
            f" (+-{row['spread_ms']:.2f})"
        )
    for key in ("cost_growth_over_pixel_growth", "training_step", "compile"):
        print(f"{key}: {json.dumps(result[key], indent=1)}")
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
