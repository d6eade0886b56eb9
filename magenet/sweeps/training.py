"""A training of a sweep: `magenet fit` in a process of its own, and the scores that it logs."""

from __future__ import annotations

import csv
import ctypes
import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from magenet.folder_lock import FolderLock
from magenet.sweeps.parameter import Value
from magenet.sweeps.sweep_file import Sweep

PATIENCE = 600.0
"""Seconds that a stopped training has to end its step or validation and to save."""

PROGRAM = (sys.executable, "-m", "magenet.main")
"""What `magenet` is run as: by this interpreter, wherever it is installed."""

CSV_LOGGER = "lightning.pytorch.loggers.CSVLogger"

LOG = "log.txt"
"""File with what the trainings of a trial have printed."""

PR_SET_PDEATHSIG = 1
"""Option of Linux's prctl: the signal that a process gets when its parent ends."""

LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def fit_command(
    sweep: Sweep, values: Mapping[str, Value], options: Sequence[str], folder: Path
) -> list[str]:
    """Return the command of one training, whose run is a folder `version_<k>` of `folder`.

    Args:
        sweep: The sweep.
        values: Value of each parameter.
        options: Further options of `magenet fit`.
        folder: Folder of the trial.
    """
    return [
        *sweep.words(values), *options,
        "--loggers=[]",  # a command for W&B's agent logs there, too
        f"--trainer.logger={CSV_LOGGER}",
        f"--trainer.logger.save_dir={folder.parent}", f"--trainer.logger.name={folder.name}",
        "--trainer.logger.version=null",  # a name that is fixed would be that of all trials
        "--checkpoint.dirpath=null",  # a path that is fixed would be that of all trials
    ]  # fmt: skip


def start(command: Sequence[str], log: Path, lock: FolderLock | None = None) -> Training:
    """Start a command that begins with `magenet`, by this interpreter.

    Args:
        command: The command.
        log: File to append to what it prints.
        lock: Lock that it holds until it ends, too.
    """
    assert command[0] == "magenet"  # by the sweep file
    held = [lock.file] if lock is not None and lock.file is not None else []
    with log.open("ab") as stream:
        return Training(
            [*PROGRAM, *command[1:]],
            stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
            pass_fds=held if sys.platform != "win32" else (),
            start_new_session=True,  # Ctrl-C in a terminal reaches the sweep alone
            preexec_fn=None if LIBC is None else _end_with_parent,
        )  # fmt: skip


class Training(subprocess.Popen[bytes]):
    """Process of a training."""

    def ended(self, seconds: float) -> bool:
        """Wait for some seconds, and return whether the training has ended."""
        try:
            self.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """Stop the training: it saves a resume point first.

        By SIGTERM, since a process of a script's background inherits that SIGINT is ignored.
        """
        if self.poll() is None:
            self.terminate()
            if not self.ended(PATIENCE):
                self.end_now()

    def end_now(self) -> None:
        """End the training and its processes without delay, if it still runs."""
        if self.poll() is None:
            if sys.platform == "win32":
                self.kill()
            else:
                os.killpg(self.pid, signal.SIGKILL)
            self.wait()


def logged_values(folder: Path, metric: str) -> list[float]:
    """Return the values of a score that the runs of a trial have logged, in the order of steps.

    What is not a number, and the last line while it is being written, is left out; where a run
    has repeated a step of an earlier one, its value counts.

    Args:
        folder: Folder of the trial.
        metric: Name of the score.
    """
    values: dict[int, float] = {}
    for file in sorted(folder.glob("version_*/metrics.csv"), key=_version):
        whole = file.read_text(encoding="utf-8").rpartition("\n")[0]
        for row in csv.DictReader(whole.splitlines()):
            try:
                values[int(row["step"])] = float(row[metric])
            except (KeyError, TypeError, ValueError):  # another score's row, or half of a file
                continue
    return [value for _, value in sorted(values.items()) if math.isfinite(value)]


def logged_names(folder: Path) -> list[str]:
    """Return the names of all scores that the runs in a folder have logged."""
    names: set[str] = set()
    for file in folder.glob("version_*/metrics.csv"):
        with file.open(newline="", encoding="utf-8") as stream:
            names |= set(csv.DictReader(stream).fieldnames or ())
    return sorted(names - {"epoch", "step"})


def reason(log: Path, status: int) -> str:
    """Return why a training failed, in one line.

    Args:
        log: File with what it printed.
        status: Its exit status.
    """
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip()]
    errors = [line for line in said if line.startswith("magenet: error: ")]
    return (errors or said or [f"exit status {status}"])[-1].removeprefix("magenet: error: ")


def _version(file: Path) -> int:
    """Return the number of the run that a file belongs to."""
    return int(file.parent.name.removeprefix("version_"))


def _end_with_parent() -> None:
    """Let the kernel stop this process by SIGTERM when the sweep ends, however it ends."""
    assert LIBC is not None  # by the caller
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
