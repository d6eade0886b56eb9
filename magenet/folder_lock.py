"""Lock of a folder of results: one process at a time writes to it."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from magenet.errors import UserError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

NAME = ".enhance.lock"


class FolderInUseError(UserError):
    """Another process has the lock."""


class FolderLock:
    """Lock of a folder, by a file that holds the process id.

    The operating system holds the lock and releases it when the process ends, however it ends: the
    file that a killed process leaves behind locks nothing, whoever has its process id now.

    Args:
        folder: The folder, which exists.
        name: Name of the file.
    """

    def __init__(self, folder: Path, name: str = NAME) -> None:
        self.path = folder / name
        self.file: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            FolderInUseError: If another process has it.
            UserError: If the file cannot be written: a full disk, a read-only folder.
        """
        try:
            self._take()
        except OSError as error:
            self.release()
            raise UserError(f"{self.path}: cannot be written ({error.strerror})") from None

    def _take(self) -> None:
        """Take the lock, see :meth:`acquire`.

        Raises:
            OSError: If the file cannot be written.
        """
        while self.file is None:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _lock(file)
            except BlockingIOError:
                holder = os.read(file, 20).decode("ascii", "replace").strip()
                os.close(file)
                raise FolderInUseError(
                    f"{self.path.parent}: another magenet writes to this folder (process "
                    f"{holder or 'unknown'}); wait until it ends, or choose another folder"
                ) from None
            except OSError as error:
                print(
                    f"magenet: warning: {self.path.parent} cannot be locked ({error.strerror}): "
                    "let no other magenet write to it",
                    file=sys.stderr,
                )
            if _is_at(file, self.path):
                self.file = file
            else:  # the process before has just removed this file: it locks nothing
                os.close(file)
        os.ftruncate(self.file, 0)
        os.write(self.file, f"{os.getpid()}\n".encode("ascii"))

    def release(self) -> None:
        """Release the lock, if it is held, and remove its file."""
        if self.file is None:
            return
        with contextlib.suppress(OSError):
            self.path.unlink()
        os.close(self.file)
        self.file = None
        if sys.platform == "win32":  # which removes no file that is open
            with contextlib.suppress(OSError):
                self.path.unlink()


def _is_at(file: int, path: Path) -> bool:
    """Return whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _lock(file: int) -> None:
    """Lock a file for this process.

    Raises:
        BlockingIOError: If another process has locked it.
    """
    if sys.platform == "win32":
        os.lseek(file, 1 << 20, os.SEEK_SET)  # the process id in front stays readable
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(*error.args) from None
        finally:
            os.lseek(file, 0, os.SEEK_SET)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
