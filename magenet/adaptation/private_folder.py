"""Private folder for what tells of patients: manifests, logs, checkpoints, decoded photographs."""

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


@contextmanager
def private_folder() -> Iterator[Path]:
    """Yield a folder for temporary files that no other user can read; remove it at the end.

    Raises:
        StoppedError: After SIGTERM, which would leave the folder otherwise.
    """

    def stop(number: int, frame: object) -> None:
        raise StoppedError("stopped; no weights are written", 128 + number)

    # Only the main thread gets signals, and may say how.
    in_main_thread = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, stop) if in_main_thread else None
    folder = Path(tempfile.mkdtemp(prefix="magenet-adapt-"))
    try:
        yield folder
    finally:
        if in_main_thread:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not stop the removal
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            print(
                f"magenet: {folder}: cannot be removed; it holds photographs and names of "
                "patients: remove it",
                file=sys.stderr,
            )
        if in_main_thread:
            signal.signal(signal.SIGTERM, before)
