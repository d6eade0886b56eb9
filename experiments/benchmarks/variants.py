"""The same training step with gradient checkpointing and with torch.compile."""

from __future__ import annotations

import json
import sys
from typing import Any

import torch

from experiments.benchmarks.inference import memory
from experiments.benchmarks.networks import workload_of
from experiments.benchmarks.setting import Setting, Table, child
from experiments.benchmarks.timing import Cell, interleaved, now

SIDE_FACTOR = 2
"""Factor of the side at which checkpointing is measured: the second size, where memory matters."""


def peak(arguments: dict[str, Any]) -> dict[str, float]:
    """Return the peak memory of training steps; runs in its own process.

    Args:
        arguments: `network, changes, batch, size, device`; the network is a named size of
            MAGE-Net, or the peer.
    """
    device = torch.device(arguments["device"])
    measured = workload_of(
        arguments["network"], arguments["batch"], arguments["size"], device, **arguments["changes"]
    )
    before, _ = memory(device)
    for _ in range(2):
        measured.step()
    _, most = memory(device)
    return {"peak MB": round(most, 1), "added MB": round(most - before, 1)}


def checkpointing(setting: Setting) -> list[Table]:
    """Return time and memory of a step with and without gradient checkpointing."""
    size = SIDE_FACTOR * setting.size
    batch = max(1, setting.batch // SIDE_FACTOR**2)
    workloads = {
        name: workload_of(setting.network, batch, size, setting.device, checkpointing=on)
        for name, on in (("without", False), ("with", True))
    }
    calls = {name: measured.step for name, measured in workloads.items()}
    times = interleaved(calls, setting.device, setting.seconds / 2)
    table = Table(
        f"Gradient checkpointing, {setting.network}, {size} px, batch {batch}",
        {
            "step ms": "a training step as in the table of networks.",
            "over without": "that time over the time without.",
            "peak MB": "most memory of a process that makes two steps (resident on a CPU, "
            "allocated on a GPU).",
            "added MB": "that minus the process's memory just before the first step.",
            "failed": "why there is no number.",
        },
    )
    for name, timing in times.items():
        arguments = {
            "network": setting.network, "changes": {"checkpointing": name == "with"},
            "batch": batch, "size": size, "device": str(setting.device),
        }  # fmt: skip
        found: dict[str, Cell] = child("variants", arguments, torch.get_num_threads())
        ratio = timing.over(times["without"])
        table.rows[name] = {"step ms": timing.milliseconds(), **found}
        if name == "with":
            table.rows[name]["over without"] = ratio
    return [table]


def compiled(setting: Setting) -> list[Table]:
    """Return the compile time and the step time with torch.compile, if asked for."""
    if not setting.compile:
        return []
    workloads = {
        name: workload_of(setting.network, setting.batch, setting.size, setting.device)
        for name in ("eager", "compiled")
    }
    compiled_workload = workloads["compiled"]
    compiled_workload.network = torch.compile(compiled_workload.network)
    start = now(setting.device)
    compiled_workload.step()
    took = now(setting.device) - start
    calls = {name: measured.step for name, measured in workloads.items()}
    times = interleaved(calls, setting.device, setting.seconds)
    table = Table(
        f"torch.compile, {setting.network}, {setting.size} px, batch {setting.batch}",
        {
            "first step s": "seconds of the first step, which compiles forward and backward.",
            "step ms": "a training step as in the table of networks.",
            "over eager": "that time over the time without torch.compile.",
        },
    )
    table.rows["eager"] = {"step ms": times["eager"].milliseconds()}
    table.rows["compiled"] = {
        "first step s": round(took, 1),
        "step ms": times["compiled"].milliseconds(),
        "over eager": times["compiled"].over(times["eager"]),
    }
    return [table]


if __name__ == "__main__":
    print(json.dumps(peak(json.loads(sys.argv[1]))))
