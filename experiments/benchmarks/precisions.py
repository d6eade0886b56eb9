"""The same training step in fp32, in bf16 and compiled, and by the size of its batch."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import torch

from experiments.benchmarks.inference import memory
from experiments.benchmarks.networks import Workload, sized
from experiments.benchmarks.setting import Setting, Table
from experiments.benchmarks.timing import Cell, median_of, now

FORMS = {"fp32": (False, False), "bf16": (True, False), "bf16, compiled": (True, True)}
"""Whether a step is in bf16, and whether the network is compiled."""

COLUMNS = {
    "batch": "photographs a step.",
    "step ms": "forward, EnhancementLoss, backward, clipping at norm 1, one foreach Adam step: "
    "median, and half the spread of the middle half. fp32 is contiguous, with TF32 in the "
    "convolutions of a GPU, as is PyTorch's default; bf16 is channels-last.",
    "photographs/s": "batch over that time.",
    "first step s": "seconds of the first step; the compiled one compiles forward and backward.",
    "peak MB": "on the GPU, most memory allocated while steps were made, the network included.",
    "failed": "why there is no number.",
}


def sizes_of(setting: Setting) -> dict[int, int]:
    """Return the batch by side of the photographs."""
    return {setting.size: setting.batch, 2 * setting.size: max(1, setting.batch // 4)}


def timed(
    setting: Setting, size: int, batch: int, bf16: bool, compiled: bool, seconds: float
) -> dict[str, Cell]:
    """Return the row of a workload; what it has allocated is freed.

    Args:
        setting: Options of the run.
        size: Side of the photographs, in pixels.
        batch: Photographs a step.
        bf16: Whether in bf16, else fp32.
        compiled: Whether the network is compiled.
        seconds: Time for which steps are repeated.

    Raises:
        OutOfMemoryError: If it does not fit.
    """
    gc.collect()
    if setting.device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(setting.device)
    workload = Workload(sized(setting.network), batch, size, setting.device, bf16)
    if compiled:
        workload.network = torch.compile(workload.network)
    start = now(setting.device)
    workload.step()
    first = now(setting.device) - start
    timing = median_of(workload.step, setting.device, seconds)
    row: dict[str, Cell] = {
        "batch": batch,
        "step ms": timing.milliseconds(),
        "photographs/s": timing.rate(batch),
        "first step s": round(first, 2),
    }
    if setting.device.type == "cuda":
        row["peak MB"] = round(memory(setting.device)[1], 1)
    return row


def measure(setting: Setting) -> Iterator[Table]:
    """Yield the table of a size after each of its rows; a row that fails tells why."""
    for size, batch in sizes_of(setting).items():
        table = Table(f"Training step by precision, {setting.network}, {size} px", COLUMNS)
        for name, (bf16, compiled) in FORMS.items():
            if compiled and not setting.compile:
                continue
            try:
                table.rows[name] = timed(
                    setting, size, batch, bf16, compiled, setting.seconds / len(FORMS)
                )
            except RuntimeError as error:  # memory, or what a compiler could not do
                table.rows[name] = {"failed": str(error).splitlines()[0]}
            yield table


def batches(setting: Setting) -> Iterator[Table]:
    """Yield the table of a size after each batch, which doubles until it does not fit."""
    for size in sizes_of(setting):
        table = Table(
            f"Size of the batch, {setting.network}, bf16, {size} px",
            {**COLUMNS, "largest": "whether it is the largest power of two that trains."},
        )
        batch = 1
        while batch <= setting.most_batch:
            try:
                table.rows[str(batch)] = timed(
                    setting, size, batch, True, False, setting.seconds / 8
                )
            except torch.OutOfMemoryError as error:
                if batch == 1:
                    table.rows["1"] = {"failed": str(error).splitlines()[0]}
                else:
                    table.rows[str(batch // 2)]["largest"] = "yes"
                break
            yield table
            batch *= 2
        yield table
