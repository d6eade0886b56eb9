"""Provenance says what it knows, and nothing of another project."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from magenet.callbacks import provenance

CPU = torch.device("cpu")


def test_the_commit_is_of_the_repository_that_tracks_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> None:
        author = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", "-C", str(tmp_path), *author, *arguments], check=True)

    code = tmp_path / ".venv/magenet/provenance.py"
    code.parent.mkdir(parents=True)
    code.touch()
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "another project")
    monkeypatch.setattr(provenance, "__file__", str(code))
    assert provenance.commit() == "unknown"
    git("add", str(code))
    git("commit", "-q", "-m", "code")
    assert len(provenance.commit()) == 12
    code.write_text("changed")
    assert provenance.commit().endswith("+")


def test_memory_is_in_mib_on_every_system(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=2**20))
    monkeypatch.setattr(sys, "platform", "linux")  # counts KiB
    assert provenance.peak_memory(CPU) == 1024.0
    monkeypatch.setattr(sys, "platform", "darwin")  # counts bytes
    assert provenance.peak_memory(CPU) == 1.0
    monkeypatch.setitem(sys.modules, "resource", None)  # Windows has none
    assert provenance.peak_memory(CPU) is None
