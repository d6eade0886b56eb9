"""Private folder for what tells of patients: manifests, enhanced and decoded photographs."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from magenet.errors import StoppedError
from magenet.stop_signals import SIGNALS


@contextmanager
def private_folder() -> Iterator[Path]:
    """Yield a folder for temporary files that no other user can read; remove it at the end.

    Raises:
        StoppedError: After SIGTERM, or SIGHUP of a closed terminal, which would leave the folder
            otherwise.
    """

    def stop(number: int, frame: object) -> None:
        raise StoppedError("stopped; no weights are written", 128 + number)

    # Only the main thread gets signals, and may say how. An ignored one, as by nohup, stays so.
    in_main_thread = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in SIGNALS if in_main_thread}
    for number, handler in before.items():
        if number != signal.SIGINT and handler != signal.SIG_IGN:
            signal.signal(number, stop)
    folder = Path(tempfile.mkdtemp(prefix="magenet-adapt-"))
    try:
        yield folder
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)  # a second one must not stop the removal
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            print(
                f"magenet: {folder}: cannot be removed; it holds photographs and names of "
                "patients: remove it",
                file=sys.stderr,
            )
        for number, handler in before.items():
            signal.signal(number, handler)
