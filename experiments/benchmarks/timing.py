"""Measuring time so that what is compared meets the same noise."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple, TypeVar

import torch

Cell = float | int | str | dict[str, float]
"""One entry of a table: a plain number, a word, or a measured `{"value", "spread"}`."""

Name = TypeVar("Name", bound=Hashable)

MIN_ROUNDS = 3
"""Rounds at least, however long they take."""

SLOW = 10.0
"""A call that takes more seconds than this is repeated twice only."""

SLICE = 0.05
"""Seconds for which a quick call is repeated in each round, at most."""


class Timing(NamedTuple):
    """Hold what repeated calls took.

    Attributes:
        median: In seconds.
        spread: Half the spread of the middle half, in seconds.
    """

    median: float
    spread: float

    def milliseconds(self, share: float = 1.0) -> Cell:
        """Return a share of the time as an entry, in milliseconds."""
        return number(1e3 * share * self.median, 1e3 * share * self.spread)

    def rate(self, amount: float) -> Cell:
        """Return an amount per second as an entry."""
        value = amount / self.median
        return number(value, value * self.spread / self.median)

    def over(self, other: Timing) -> Cell:
        """Return this time over another as an entry; the relative spreads add."""
        value = self.median / other.median
        return number(value, value * (self.spread / self.median + other.spread / other.median))


def number(value: float, spread: float) -> Cell:
    """Return an entry of a table, of as many digits as can mean something."""
    return {"value": float(f"{value:.4g}"), "spread": float(f"{spread:.2g}")}


def summary(times: list[float]) -> Timing:
    """Return the median of some times and half the spread of their middle half."""
    if len(times) == 1:
        return Timing(times[0], 0.0)
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return Timing(middle, (high - low) / 2)


def now(device: torch.device) -> float:
    """Return the time in seconds, once the device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def median_of(call: Callable[[], object], device: torch.device, seconds: float) -> Timing:
    """Return the time of one call, repeated after one to warm up.

    Args:
        call: What to time.
        device: Where it works.
        seconds: Repeated for so long and at least three times, but not for more than four times
            as long.
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
    """Return the times of several calls, made in turn so that a drift hits all alike.

    After a round to warm up, whole rounds are made until the time is used up, :data:`MIN_ROUNDS` at
    least. In each a quick call is repeated for :data:`SLICE`; a slow one stops after two rounds.

    Args:
        calls: What to time, by name.
        device: Where they work.
        seconds: For all of them together.
        max_rounds: Rounds at most.
        before: What to do, untimed, before each call of a name.
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
