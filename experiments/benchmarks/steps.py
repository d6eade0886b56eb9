"""Forward and training step of the networks and of the peer, against what the machine can do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from functools import partial

import torch

from experiments.benchmarks.ceilings import Ideal, Kernel, kernels
from experiments.benchmarks.networks import PEER, Convolution, Subject, peer, sized
from experiments.benchmarks.setting import Setting, Table
from experiments.benchmarks.timing import Timing, interleaved

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
    "peak MB": "most memory allocated on the GPU during a step.",
    "largest batch": "on the GPU, the largest power of two that trains.",
}


def measure(setting: Setting) -> list[Table]:
    """Return a table for each of the two sizes, and the ratio to the peer."""
    tables = []
    for size, batch in ((setting.size, setting.batch), (2 * setting.size, setting.batch // 4)):
        # The peer's step takes a minute at the smaller size already.
        names = [n for n in setting.networks if n != PEER or size == setting.size]
        tables += compare(setting, names, size, max(1, batch))
    return tables


def compare(setting: Setting, names: list[str], size: int, batch: int) -> list[Table]:
    """Return the networks' table at one size and, where the peer is among them, the ratio."""
    table = Table(f"Networks at {size} px", COLUMNS)
    subjects: dict[str, Subject] = {}
    for name in names:
        if name != PEER:
            subjects[name] = Subject(sized(name), batch, size, setting.device, half=True)
            continue
        try:
            # One photograph fills two cores, but not a GPU: there the peer gets as many as ours.
            own = 1 if setting.device.type == "cpu" else batch
            subjects[name] = Subject(peer(), own, size, setting.device, half=False)
        except ImportError as error:
            table.rows[name] = {"precision": f"NOT MEASURED: {error}"}
    demands = {name: subject.demand() for name, subject in subjects.items()}
    calls: dict[Hashable, Callable[[], object]] = {}
    for name, subject in subjects.items():
        calls[name, "forward"] = subject.forward
        calls[name, "step"] = subject.step
        calls.update(ceilings_of(name, subject, demands[name][0]))
    times = interleaved(calls, setting.device, setting.seconds)
    for name, subject in subjects.items():
        shapes, macs = demands[name]
        alone = {s: times[name, s] for s in shapes if (name, s) in times}
        table.rows[name] = row(
            subject, shapes, macs, times[name, "forward"], times[name, "step"], alone
        )
        if setting.device.type == "cuda":
            table.rows[name]["peak MB"] = peak(subject)
    if setting.device.type == "cuda":
        for name in subjects:
            half = subjects[name].half
            again = partial(peer) if name == PEER else partial(sized, name)
            table.rows[name]["largest batch"] = largest_batch(
                lambda n, a=again, h=half: Subject(a(), n, size, setting.device, h)  # type: ignore[misc]
            )
    return [table, *against_peer(setting, subjects, times)]


def ceilings_of(
    name: str, subject: Subject, shapes: Counter[Convolution]
) -> dict[Hashable, Kernel]:
    """Return the 3x3 convolutions of a subject, to be timed in the same rounds as itself."""
    dtype = torch.bfloat16 if subject.half else torch.float32
    found = kernels(shapes, subject.batch, dtype, subject.device)
    return {(name, shape): kernel for shape, kernel in found.items()}


def row(
    subject: Subject,
    shapes: Counter[Convolution],
    macs: float,
    forward: Timing,
    step: Timing,
    alone: dict[Convolution, Timing],
) -> dict[str, float | int | str | dict[str, float]]:
    """Return a network's line."""
    ideal = Ideal(shapes, subject.batch, alone)
    count = sum(parameter.numel() for parameter in subject.parameters)
    return {
        "batch": subject.batch,
        "precision": "bf16, channels-last" if subject.half else "fp32, contiguous",
        "parameters": round(count / 1e6, 3),
        "GMACs": round(macs / subject.batch / 1e9, 3),
        "forward ms": forward.milliseconds(),
        "forward photographs/s": forward.rate(subject.batch),
        "forward GFLOP/s": forward.rate(2 * macs / 1e9),
        "step ms": step.milliseconds(),
        "step photographs/s": step.rate(subject.batch),
        "step GFLOP/s": step.rate(6 * macs / 1e9),
        "ideal ms": round(1e3 * ideal.seconds, 2),
        "utilisation": step.rate(ideal.seconds),
        "of mean ceiling": step.rate(6 * macs / ideal.mean),
        "of best ceiling": step.rate(6 * macs / ideal.best),
    }


def against_peer(
    setting: Setting, subjects: dict[str, Subject], times: dict[Hashable, Timing]
) -> list[Table]:
    """Return how many times more photographs a second the main network handles than the peer."""
    if PEER not in subjects or setting.network not in subjects:
        return []
    own, other = subjects[setting.network], subjects[PEER]
    table = Table(
        f"{setting.network} against {PEER}, {own.size} px",
        {
            "ratio": f"photographs a second of {setting.network} (bf16, batch {own.batch}) over "
            f"those of {PEER} as published (fp32, batch {other.batch})."
        },
    )
    for what in ("forward", "step"):
        quicker = times[PEER, what].over(times[setting.network, what])
        assert isinstance(quicker, dict)
        factor = own.batch / other.batch
        table.rows[what] = {"ratio": {k: round(factor * v, 3) for k, v in quicker.items()}}
    return [table]


def peak(subject: Subject) -> float:
    """Return the most memory allocated on the GPU during a step, in MB."""
    torch.cuda.reset_peak_memory_stats(subject.device)
    subject.step()
    return round(torch.cuda.max_memory_allocated(subject.device) / 1e6, 1)


def largest_batch(make: Callable[[int], Subject]) -> int:
    """Return the largest power of two that a GPU can train with, found by doubling; 0 if none."""
    batch = 1
    while True:
        try:
            make(batch).step()
        except torch.cuda.OutOfMemoryError:
            return batch // 2
        finally:
            torch.cuda.empty_cache()
        batch *= 2
