"""Interleaved timing: calls that are compared are exposed to the same noise."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple, TypeVar

import torch

Cell = float | int | str | dict[str, float]
"""Cell of a table: a number, a text, or a measurement `{"value", "spread"}`."""

Name = TypeVar("Name", bound=Hashable)

MIN_ROUNDS = 3
"""Least number of rounds, however long they take."""

SLOW = 10.0
"""Seconds above which a call is repeated only twice."""

SLICE = 0.05
"""Most seconds for which a quick call is repeated in a round."""


class Timing(NamedTuple):
    """Time of repeated calls.

    Attributes:
        median: Median, in seconds.
        spread: Half the interquartile range, in seconds.
    """

    median: float
    spread: float

    def milliseconds(self, share: float = 1.0) -> Cell:
        """Return a share of the time as a cell, in milliseconds."""
        return number(1e3 * share * self.median, 1e3 * share * self.spread)

    def rate(self, amount: float) -> Cell:
        """Return an amount per second as a cell."""
        value = amount / self.median
        return number(value, value * self.spread / self.median)

    def over(self, other: Timing) -> Cell:
        """Return this time over another as a cell; the relative spreads add."""
        value = self.median / other.median
        return number(value, value * (self.spread / self.median + other.spread / other.median))


def number(value: float, spread: float) -> Cell:
    """Return a cell: the value with 4 significant digits, the spread with 2."""
    return {"value": float(f"{value:.4g}"), "spread": float(f"{spread:.2g}")}


def summary(times: list[float]) -> Timing:
    """Return the median of times and half their interquartile range."""
    if len(times) == 1:
        return Timing(times[0], 0.0)
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return Timing(middle, (high - low) / 2)


def now(device: torch.device) -> float:
    """Return the time in seconds, after synchronising a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def median_of(call: Callable[[], object], device: torch.device, seconds: float) -> Timing:
    """Return the time of a call, repeated after one call to warm up.

    Args:
        call: Callable to time.
        device: Device that it runs on.
        seconds: Time for which it is repeated: at least :data:`MIN_ROUNDS` times, but not for
            more than four times as long.
    """
    times: list[float] = []
    call()
    while sum(times) < (4 * seconds if len(times) < MIN_ROUNDS else seconds) or not times:
        start = now(device)
        call()
        times.append(now(device) - start)
    return summary(times)


def interleaved(
    calls: Mapping[Name, Callable[[], object]],
    device: torch.device,
    seconds: float,
    max_rounds: int = 10_000,
    before: Mapping[Name, Callable[[], object]] | None = None,
) -> dict[Name, Timing]:
    """Return the times of several calls, made in turn so that drift affects all alike.

    After a round to warm up, whole rounds are made until the time is used up, at least
    :data:`MIN_ROUNDS`. In each, a quick call is repeated for :data:`SLICE`; a call slower than
    :data:`SLOW` stops after two rounds.

    Args:
        calls: Callables to time, by name.
        device: Device that they run on.
        seconds: Time budget of all of them together.
        max_rounds: Most rounds.
        before: Callable to run, untimed, before each call of that name.
    """
    times: dict[Name, list[float]] = {name: [] for name in calls}
    ready = before or {}

    def once(name: Name) -> float:
        if name in ready:
            ready[name]()
        start = now(device)
        calls[name]()
        return now(device) - start

    for name in calls:
        once(name)
    slice_seconds = min(SLICE, seconds / 100)
    start, rounds = now(device), 0
    while rounds < MIN_ROUNDS or (rounds < max_rounds and now(device) - start < seconds):
        for name, taken in times.items():
            if rounds >= 2 and max(taken) > SLOW:
                continue
            until = now(device) + slice_seconds
            taken.append(once(name))
            while now(device) < until:
                taken.append(once(name))
        rounds += 1
    return {name: summary(taken) for name, taken in times.items()}
