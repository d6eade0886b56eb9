"""The lock of a folder of results, between processes."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from magenet.enhancement.folder_lock import NAME, FolderLock
from magenet.errors import UserError

HOLD = """
import sys, time
from pathlib import Path
from magenet.enhancement.folder_lock import FolderLock
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
