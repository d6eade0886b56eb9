"""Optuna's journal in a file, with a lock that a killed process does not leave behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from magenet.folder_lock import FolderInUseError, FolderLock

PAUSE = 0.02
"""Seconds between two tries to take a lock that is held for a moment only."""


class JournalLock(JournalFileOpenLock):
    """Lock of a journal while a process writes to it.

    Deviation: Optuna's own locks are files whose existence locks. After SIGKILL the next process
    waits half a minute for them, and for ever if the journal has a relative path (Optuna 5.0).

    Args:
        journal: The journal.
    """

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self.lock = FolderLock(journal.parent, ".journal.lock")

    def acquire(self) -> bool:
        """Wait for the lock and take it; cut off half a line that a killed process has written."""
        take(self.lock)
        with self.journal.open("rb+") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - 1))
            if size and stream.read(1) != b"\n":
                stream.seek(0)
                stream.truncate(stream.read().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        """Release the lock."""
        self.lock.release()


def take(lock: FolderLock) -> None:
    """Wait until another process has released a lock, and take it.

    Raises:
        UserError: If its file cannot be written: a full disk, a read-only folder.
    """
    while True:
        try:
            lock.acquire()
            return
        except FolderInUseError:
            time.sleep(PAUSE)


def open_journal(path: Path) -> JournalStorage:
    """Return the storage in a journal, created where it is missing."""
    path.touch()
    return JournalStorage(JournalFileBackend(str(path), JournalLock(path)))
