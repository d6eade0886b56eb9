"""The lock of a folder of results, between processes."""

import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from magenet import folder_lock
from magenet.errors import UserError
from magenet.folder_lock import NAME, FolderLock

HOLD = """
import sys, time
from pathlib import Path
from magenet import folder_lock
from magenet.folder_lock import FolderLock
FolderLock(Path(sys.argv[1])).acquire()
print("locked", flush=True)
time.sleep(60)
"""


def test_a_second_process_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(UserError, match=rf"another magenet .* \(process {process.pid}\)"):
            FolderLock(tmp_path).acquire()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (tmp_path / NAME).exists(), "a killed process leaves it"
    lock = FolderLock(tmp_path)
    lock.acquire()
    with pytest.raises(UserError, match="another magenet"):
        FolderLock(tmp_path).acquire()
    lock.release()
    assert not list(tmp_path.iterdir())


def test_the_process_id_of_a_living_stranger_locks_nothing(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("1\n")
    lock = FolderLock(tmp_path)
    lock.acquire()
    lock.release()
    lock.release()  # twice does nothing more


def test_a_file_system_without_locks_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(file: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(folder_lock, "_lock", refuse)
    lock = FolderLock(tmp_path)
    lock.acquire()
    assert "cannot be locked (No locks available)" in capsys.readouterr().err
    lock.release()


def test_a_file_that_was_removed_meanwhile_is_not_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = folder_lock._lock
    removals = [tmp_path / NAME]

    def meanwhile(file: int) -> None:
        whole(file)
        if removals:
            removals.pop().unlink()  # by the process that held it, at its end

    monkeypatch.setattr(folder_lock, "_lock", meanwhile)
    lock = FolderLock(tmp_path)
    lock.acquire()
    with pytest.raises(UserError, match="another magenet"):
        FolderLock(tmp_path).acquire()
    lock.release()


def test_a_folder_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folder_lock.os, "write", full)
    lock = FolderLock(tmp_path)
    with pytest.raises(UserError, match=r"enhance\.lock: cannot be written \(No space left"):
        lock.acquire()
    assert lock.file is None
    with pytest.raises(UserError, match="cannot be written"):
        FolderLock(tmp_path / "none").acquire()
