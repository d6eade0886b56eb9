"""A measurement is given up in time, and leaves no alarm behind."""

import contextlib
import signal
import time

import pytest

from experiments.benchmarks.time_limit import TimeIsUp, time_limit


def test_what_takes_longer_is_given_up() -> None:
    with pytest.raises(TimeIsUp), time_limit(0.05), contextlib.suppress(Exception):
        time.sleep(60)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


@pytest.mark.parametrize("seconds", [60.0, float("inf")])
def test_what_is_quick_enough_is_not(seconds: float) -> None:
    with time_limit(seconds):
        value = 1
    assert value == 1
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_without_time_nothing_begins() -> None:
    with pytest.raises(TimeIsUp), time_limit(-1.0):
        pytest.fail("begun")
