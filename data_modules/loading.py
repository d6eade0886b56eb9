"""Loading in worker processes that outlive the signals by which a training is stopped."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Listener
from typing import Any

import torch.multiprocessing
from torchdata.stateful_dataloader import StatefulDataLoader

from magenet.errors import UserError

GRACE = 30
"""Seconds that a worker lives on after SIGTERM: as long as SLURM waits until it kills."""

BLOCKED = () if sys.platform == "win32" else (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Signals that wait while workers start."""


def outlive_signals(worker: int) -> None:
    """Let a worker live on after the signals that terminals and schedulers send to all processes.

    The main process says when to stop: a training first saves its state, and needs a batch for it.
    It also ends a worker that hangs by SIGTERM, which therefore does so after :data:`GRACE`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda number, frame: signal.alarm(GRACE))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)


def _require_sockets() -> None:
    """Open and close a socket where workers will: one without loses its batches, and all wait."""
    try:
        Listener(family="AF_UNIX").close()
    except OSError as error:
        raise UserError(
            f"{tempfile.gettempdir()}: worker processes cannot hand over their batches in this "
            f"folder for temporary files ({error.strerror or error}); set TMPDIR to another one, "
            "with a path of at most 70 characters"
        ) from None


class PhotographLoader(StatefulDataLoader[Any]):  # type: ignore[misc]  # untyped
    """Loader whose workers cannot be stopped while they start; give it :func:`outlive_signals`."""

    def __iter__(self) -> Iterator[Any]:
        """Start the workers, which inherit that the signals wait until they are handled.

        Raises:
            UserError: If workers could not hand over a batch.
        """
        if sys.platform == "win32":
            return super().__iter__()
        sharing = torch.multiprocessing.get_sharing_strategy()  # type: ignore[no-untyped-call]
        if self.num_workers and sharing == "file_descriptor":
            _require_sockets()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
        try:
            return super().__iter__()  # type: ignore[no-any-return]
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
