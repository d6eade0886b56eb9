"""Time and memory of enhancing one photograph by its size, each size in its own process."""

from __future__ import annotations

import json
import math
import resource
import statistics
import sys
from pathlib import Path
from typing import Any

import torch

from experiments.benchmarks.networks import Workload, sized
from experiments.benchmarks.setting import Setting, Table, child
from experiments.benchmarks.timing import Cell, Timing, interleaved

MIDDLE = 1024
"""Side at which bf16 is compared with fp32, in pixels, unless all sizes are smaller."""


def memory(device: torch.device) -> tuple[float, float]:
    """Return the current and peak memory of this process, in MB; on a GPU the allocator's."""
    if device.type == "cuda":
        return (
            torch.cuda.memory_allocated(device) / 1e6,
            torch.cuda.max_memory_allocated(device) / 1e6,
        )
    status = Path("/proc/self/status")
    if not status.exists():  # not Linux: getrusage gives the peak only, macOS in bytes
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
        return peak, peak
    # Not getrusage: on Linux a child started by vfork inherits its parent's ru_maxrss.
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    now, peak = (float(lines[key].split()[0]) * 1024 / 1e6 for key in ("VmRSS", "VmHWM"))
    return now, peak


def enhance(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return time and memory of enhancing one photograph; runs in its own process.

    Args:
        arguments: `network, size, device, seconds` and `precisions`, timed in turn.
    """
    device = torch.device(arguments["device"])
    workloads = {
        name: Workload(
            sized(arguments["network"]), 1, arguments["size"], device, bf16=name == "bf16"
        )
        for name in arguments["precisions"]
    }
    before, _ = memory(device)
    calls = {name: workload.forward for name, workload in workloads.items()}
    times = interleaved(calls, device, arguments["seconds"])
    _, peak = memory(device)
    return {"times": times, "before": before, "peak": peak}


def slope(seconds: dict[int, float]) -> float:
    """Return the exponent of time against pixels, by log-log linear regression.

    Args:
        seconds: Time by side of the photograph.
    """
    x = [2 * math.log(side) for side in seconds]
    y = [math.log(value) for value in seconds.values()]
    return statistics.linear_regression(x, y).slope


def measure(setting: Setting) -> list[Table]:
    """Return time and memory by size, the exponent of time, and fp32 over bf16."""
    sizes = sorted(setting.inference_sizes)
    arguments = {
        "network": setting.network, "device": str(setting.device),
        "seconds": setting.seconds / (len(sizes) + 1),
    }  # fmt: skip
    table = Table(
        f"Enhancing one photograph, {setting.network}",
        {
            "ms": "one forward, batch 1, bf16, channels-last, inference mode: median, and half "
            "the spread of the middle half.",
            "megapixels/s": "pixels over that time.",
            "peak MB": "most memory of the process (resident on a CPU, allocated on a GPU).",
            "added MB": "that minus the process's memory just before the first forward, network "
            "and photograph loaded.",
            "failed": "why there is no number.",
        },
    )
    seconds: dict[int, float] = {}
    threads = torch.get_num_threads()
    for size in sizes:
        found = child("inference", {**arguments, "size": size, "precisions": ["bf16"]}, threads)
        if "failed" in found:
            table.rows[f"{size} px"] = {"failed": found["failed"]}
            continue
        timing = Timing(*found["times"]["bf16"])
        seconds[size] = timing.median
        table.rows[f"{size} px"] = {
            "ms": timing.milliseconds(),
            "megapixels/s": timing.rate(size**2 / 1e6),
            "peak MB": round(found["peak"], 1),
            "added MB": round(found["peak"] - found["before"], 1),
        }
    other = Table(
        f"Growth and precision, {setting.network}",
        {
            "value": "exponent: slope of log time against log pixels over all sizes, 1 if time is "
            "proportional; fp32 over bf16: time contiguous in fp32 over time channels-last in "
            "bf16, in turn in one process.",
            "failed": "why there is no number.",
        },
    )
    if len(seconds) > 1:
        other.rows[f"exponent, {min(seconds)} to {max(seconds)} px"] = {
            "value": round(slope(seconds), 3)
        }
    size = min(MIDDLE, sizes[-1])
    both = {**arguments, "size": size, "precisions": ["bf16", "fp32"]}
    found = child("inference", both, threads)
    row: dict[str, Cell] = {}
    if "failed" in found:
        row["failed"] = found["failed"]
    else:
        bf16, fp32 = (Timing(*found["times"][name]) for name in ("bf16", "fp32"))
        row["value"] = fp32.over(bf16)
    other.rows[f"fp32 over bf16, {size} px"] = row
    return [table, other]


if __name__ == "__main__":
    print(json.dumps(enhance(json.loads(sys.argv[1]))))
