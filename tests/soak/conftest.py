"""Attempts to break what users are promised: a few in each run of the tests, and `make soak`.

A test takes the numbers of attempts of both as its parameters; the whole ones are marked `soak`.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.configurations import RESULTS
from magenet.callbacks.provenance import commit, processor
from tests.magenet.conftest import fundus_check, weights
from tests.soak.ledger import Ledger

__all__ = ["fundus_check", "weights"]


@pytest.fixture(scope="session")
def ledger(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """The table, written when a soak ends: only whole runs replace the committed one."""
    ledger, start = Ledger(), time.monotonic()
    yield ledger
    if request.config.getoption("-m") != "soak":
        return
    whole = request.config.args == ["tests/soak"] and not request.config.getoption("-k")
    kept = whole and not request.session.testsfailed
    target = RESULTS / "soak.md" if kept else Path("runs/soak.md")
    minutes = (time.monotonic() - start) / 60
    ledger.write(
        target,
        f"`make soak` at commit {commit()}, {minutes:.0f} minutes on 2 cores of {processor()}.",
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB in memory; mounting it needs root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a file system (root)")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
