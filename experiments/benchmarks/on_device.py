"""What runs on a device beside the network: degradation, enhancing, and the tests that need one."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch

from data_modules.datasets.phantom import Phantom, draw_phantom
from experiments.benchmarks.degradation import rates
from experiments.benchmarks.inference import memory, slope
from experiments.benchmarks.precisions import sizes_of
from experiments.benchmarks.setting import Setting, Table, environment
from experiments.benchmarks.timing import median_of
from magenet.enhancement.enhancer import PhotographEnhancer

ROOT = Path(__file__).parents[2]

MEMORY = 64 << 30
"""Bytes that enhancement may use."""


def degradation(setting: Setting) -> list[Table]:
    """Return photographs a second of both recipes and of each factor."""
    options = argparse.Namespace(sizes=list(sizes_of(setting)), batches=[setting.batch])
    columns = {
        "photographs/s": "degraded a second, random numbers included.",
        "ms each": "milliseconds for one of them.",
    }
    tables: dict[str, Table] = {}
    for row in rates(options, setting.device):
        title = f"Degradation, {row['size']} px, batch {row['batch']}, {row['threads']} threads"
        table = tables.setdefault(title, Table(title, columns))
        table.rows[str(row["what"])] = {
            "photographs/s": float(str(row["images_per_s"])),
            "ms each": float(str(row["ms_per_image"])),
        }
    return list(tables.values())


def enhancing(setting: Setting) -> Iterator[Table]:
    """Yield how fast the released network enhances, after each size."""
    table = Table(
        "Enhancing by the released network",
        {
            "ms": "one photograph, decoded, with its field of view, verdict included, as "
            "`magenet enhance` does: median, and half the spread of the middle half.",
            "fast ms": "the same with `--fast`.",
            "photographs/s": "one over the first time.",
            "megapixels/s": "pixels over that time.",
            "peak MB": "most memory of the process (resident on a CPU, allocated on a GPU).",
            "exponent": "slope of log time against log pixels over all sizes: 1 if the time is "
            "proportional.",
        },
    )
    enhancer = PhotographEnhancer.from_pretrained("mage_net", setting.device, MEMORY)
    seconds: dict[int, float] = {}
    for size in setting.inference_sizes:
        phantom = draw_phantom(0, size)
        if setting.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(setting.device)

        def enhance(fast: bool, phantom: Phantom = phantom) -> object:
            return enhancer(phantom.image, phantom.field, force=True, fast=fast)

        each = setting.seconds / len(setting.inference_sizes) / 2
        timing = median_of(partial(enhance, False), setting.device, each)
        peak = memory(setting.device)[1]
        table.rows[f"{size} px"] = {
            "ms": timing.milliseconds(),
            "fast ms": median_of(partial(enhance, True), setting.device, each).milliseconds(),
            "photographs/s": timing.rate(1),
            "megapixels/s": timing.rate(size**2 / 1e6),
            "peak MB": round(peak, 1),
        }
        seconds[size] = timing.median
        yield table
    if len(seconds) > 1:
        table.rows["all"] = {"exponent": round(slope(seconds), 3)}
        yield table


def tests(setting: Setting) -> list[Table]:
    """Return how many of the tests that need a GPU pass; without one they are skipped."""
    files = [
        str(path)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if re.search(r"pytest\.mark\.gpu", path.read_text())
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", *files]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment())
    last = (process.stdout.strip().splitlines() or ["nothing was said"])[-1]
    table = Table(
        "Tests that need a GPU",
        {
            **dict.fromkeys(("passed", "skipped", "deselected"), "tests."),
            "failed": "what pytest said last.",
        },
    )
    counts = {what: int(n) for n, what in re.findall(r"(\d+) (passed|skipped)", last)}
    table.rows["pytest -m gpu"] = dict(counts)
    if process.returncode:
        table.rows["pytest -m gpu"]["failed"] = last
    return [table]
