"""A time after which a measurement is given up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TimeIsUp(BaseException):
    """A measurement took longer than it was given; no `except Exception` may swallow it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`TimeIsUp` in the body of a `with` after some seconds, at once if none are left.

    A call into a library that takes long delays it. Not on Windows, and in the main thread only.

    Args:
        seconds: The time; infinite for no limit.
    """
    if seconds == float("inf"):
        yield
        return
    if seconds <= 0:
        raise TimeIsUp

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeIsUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
