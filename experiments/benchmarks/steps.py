"""Forward pass and training step of the networks and the peer, relative to the machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable

import torch

from experiments.benchmarks.ceilings import Ideal, Kernel, kernels
from experiments.benchmarks.networks import PEER, Convolution, Workload, workload_of
from experiments.benchmarks.setting import Setting, Table, child
from experiments.benchmarks.timing import Cell, Timing, interleaved

COLUMNS = {
    "batch": "photographs a step; on a CPU the peer's is 1.",
    "precision": "bf16 autocast and channels-last, or fp32 and contiguous.",
    "parameters": "in millions.",
    "GMACs": "multiplications with addition in one forward of one photograph, by torch's "
    "FlopCounterMode, in thousand millions.",
    "forward ms": "one forward of the batch in inference mode: median, and half the spread of the "
    "middle half.",
    "forward photographs/s": "batch over that time.",
    "forward GFLOP/s": "2 x MACs x batch over that time.",
    "step ms": "forward, EnhancementLoss, backward, clipping at norm 1, one foreach Adam step.",
    "step photographs/s": "batch over that time.",
    "step GFLOP/s": "plain model FLOP/s: 3 x 2 x MACs x batch over the time of a step.",
    "ideal ms": "sum over the network's convolutions of operations over ceiling, as if nothing "
    "else were done: a 3x3 one by its own shape measured alone in the same rounds, any other by "
    "the 3x3 one of the nearest shape. A ceiling that is itself low makes this large: see the "
    "next columns but one.",
    "utilisation": "ideal time over the measured time of a step.",
    "of mean ceiling": "plain model FLOP/s over the mean of those ceilings, each weighed by its "
    "operations.",
    "of best ceiling": "plain model FLOP/s over the best of those ceilings.",
    "peak MB": "most memory allocated on the GPU by a process that makes two steps.",
    "largest batch": "on the GPU, the largest power of two that trains.",
    "failed": "why there is no peak.",
}


def measure(setting: Setting) -> list[Table]:
    """Return a table for each of two sizes, and the ratio to the peer."""
    tables = []
    for size, batch in ((setting.size, setting.batch), (2 * setting.size, setting.batch // 4)):
        # The peer is left out at the larger size: its step takes a minute at the smaller one.
        names = [n for n in setting.networks if n != PEER or size == setting.size]
        tables += compare(setting, names, size, max(1, batch))
    return tables


def compare(setting: Setting, names: list[str], size: int, batch: int) -> list[Table]:
    """Return the networks' table at one size and, if the peer is among them, the ratio."""
    tables = timed(setting, names, size, batch)
    if setting.device.type == "cuda":  # the timed workloads are freed
        for name in names:
            tables[0].rows[name] |= memory_of(setting, name, size, batch)
    return tables


def timed(setting: Setting, names: list[str], size: int, batch: int) -> list[Table]:
    """Return the tables of :func:`compare` without memory."""
    table = Table(f"Networks at {size} px", COLUMNS)
    # One photograph keeps two cores busy, but not a GPU: there the peer gets a full batch.
    peer_batch = 1 if setting.device.type == "cpu" else batch
    workloads = {
        name: workload_of(name, peer_batch if name == PEER else batch, size, setting.device)
        for name in names
    }
    demands = {name: measured.demand() for name, measured in workloads.items()}
    calls: dict[Hashable, Callable[[], object]] = {}
    for name, measured in workloads.items():
        calls[name, "forward"] = measured.forward
        calls[name, "step"] = measured.step
        calls.update(ceilings_of(name, measured, demands[name][0]))
    times = interleaved(calls, setting.device, setting.seconds)
    for name, measured in workloads.items():
        shapes, macs = demands[name]
        kernel_times = {s: times[name, s] for s in shapes if (name, s) in times}
        table.rows[name] = row(
            measured, shapes, macs, times[name, "forward"], times[name, "step"], kernel_times
        )
    return [table, *against_peer(setting, workloads, times)]


def ceilings_of(
    name: str, workload: Workload, shapes: Counter[Convolution]
) -> dict[Hashable, Kernel]:
    """Return the 3x3 convolutions of a workload, to be timed in the same rounds as it."""
    dtype = torch.bfloat16 if workload.bf16 else torch.float32
    found = kernels(shapes, workload.batch, dtype, workload.device)
    return {(name, shape): kernel for shape, kernel in found.items()}


def row(
    workload: Workload,
    shapes: Counter[Convolution],
    macs: float,
    forward: Timing,
    step: Timing,
    kernel_times: dict[Convolution, Timing],
) -> dict[str, float | int | str | dict[str, float]]:
    """Return the row of a network."""
    ideal = Ideal(shapes, workload.batch, kernel_times)
    count = sum(parameter.numel() for parameter in workload.parameters)
    return {
        "batch": workload.batch,
        "precision": "bf16, channels-last" if workload.bf16 else "fp32, contiguous",
        "parameters": round(count / 1e6, 3),
        "GMACs": round(macs / workload.batch / 1e9, 3),
        "forward ms": forward.milliseconds(),
        "forward photographs/s": forward.rate(workload.batch),
        "forward GFLOP/s": forward.rate(2 * macs / 1e9),
        "step ms": step.milliseconds(),
        "step photographs/s": step.rate(workload.batch),
        "step GFLOP/s": step.rate(6 * macs / 1e9),
        "ideal ms": round(1e3 * ideal.seconds, 2),
        "utilisation": step.rate(ideal.seconds),
        "of mean ceiling": step.rate(6 * macs / ideal.mean),
        "of best ceiling": step.rate(6 * macs / ideal.best),
    }


def against_peer(
    setting: Setting, workloads: dict[str, Workload], times: dict[Hashable, Timing]
) -> list[Table]:
    """Return photographs a second of the main network over those of the peer."""
    if PEER not in workloads or setting.network not in workloads:
        return []
    ours, other = workloads[setting.network], workloads[PEER]
    table = Table(
        f"{setting.network} against {PEER}, {ours.size} px",
        {
            "ratio": f"photographs a second of {setting.network} (bf16, batch {ours.batch}) over "
            f"those of {PEER} as published (fp32, batch {other.batch})."
        },
    )
    for what in ("forward", "step"):
        ratio = times[PEER, what].over(times[setting.network, what])
        assert isinstance(ratio, dict)
        factor = ours.batch / other.batch
        table.rows[what] = {"ratio": {k: round(factor * v, 3) for k, v in ratio.items()}}
    return [table]


def memory_of(setting: Setting, name: str, size: int, batch: int) -> dict[str, Cell]:
    """Return the cells of a network's memory on the GPU."""
    torch.cuda.empty_cache()
    arguments = {
        "network": name, "changes": {}, "batch": batch, "size": size, "device": str(setting.device),
    }  # fmt: skip
    found = child("variants", arguments, torch.get_num_threads())
    found.pop("added MB", None)
    most = largest_batch(lambda count: workload_of(name, count, size, setting.device))
    return {**found, "largest batch": most}


def largest_batch(make: Callable[[int], Workload]) -> int:
    """Return the largest batch, a power of two, that a GPU can train with; 0 if none."""
    batch = 1
    while True:
        try:
            make(batch).step()
        except torch.cuda.OutOfMemoryError:
            return batch // 2
        finally:
            torch.cuda.empty_cache()
        batch *= 2
