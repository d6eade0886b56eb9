"""Signals that stop a run: the photograph at hand is finished first."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from magenet.errors import StoppedError

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals after which a run stops: Ctrl-C, what schedulers and `kill` send, a closed terminal."""

STOPPING = "stopping after this photograph; once more stops at once"
"""What is said when the first signal comes."""

LEFT = (
    "stopped; what is written is whole, and enhance.incomplete.csv lists it; go on with "
    "--skip-existing"
)
"""What is said after the second one."""


@contextlib.contextmanager
def stoppable(stopping: str = STOPPING, left: str = LEFT) -> Iterator[list[int]]:
    """Note the signals that stop a run, so that the photograph at hand is finished and listed.

    The second signal raises at once.

    Args:
        stopping: What to say when the first signal comes.
        left: What to say after the second.

    Yields:
        The signals that came.

    Raises:
        StoppedError: After a :class:`KeyboardInterrupt`.
    """
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt
        with contextlib.suppress(OSError):  # not by print, which a signal may have interrupted
            os.write(2, f"\nmagenet: {stopping}\n".encode())

    # A signal that is ignored, as by nohup, stays so. Threads other than the first have no say.
    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in SIGNALS if is_main}
    caught = {number: old for number, old in before.items() if old not in (signal.SIG_IGN, None)}
    try:
        for number in caught:
            signal.signal(number, stop)
        yield received
    except KeyboardInterrupt:
        raise StoppedError(left, 128 + (received or [signal.SIGINT])[0]) from None
    finally:
        for number, old in caught.items():
            signal.signal(number, old)
