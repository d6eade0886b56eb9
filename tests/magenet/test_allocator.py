import platform
import subprocess
import sys

import pytest

from magenet import allocator
from tests.conftest import ROOT

SCRIPT = """
import resource, sys, torch
from magenet.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
for round in range(12):
    if round == 6:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.zeros(12_000_000) for _ in range(3)]
    del tensors
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Return how many fresh pages six rounds of three 48 MB tensors took."""
    command = [sys.executable, "-c", SCRIPT, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an option of glibc")
def test_freed_memory_is_used_again_without_new_pages() -> None:
    assert faults("keep") < 0.1 * faults("as usual")


RETURNED = """
import torch
from magenet.allocator import resident, return_freed_memory

kept = []
for _ in range(4000):  # small ones stay between large ones, which the C library then keeps
    gap = torch.ones(16_000)
    kept.append(torch.ones(16))
    del gap
pieces = [torch.ones(16_000) for _ in range(4000)]
kept += pieces[::400]
del pieces
before = resident()
return_freed_memory()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an option of glibc")
def test_freed_memory_is_given_back() -> None:
    command = [sys.executable, "-c", RETURNED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(done.stdout) > 100 << 20, "of 256 MB"


def test_freed_memory_is_returned_before_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept for the next photograph, and must not cost one that would fit."""
    used = [900]
    monkeypatch.setattr(allocator, "resident", lambda: used[0])
    monkeypatch.setattr(allocator, "return_freed_memory", lambda: used.__setitem__(0, 480))
    assert allocator.make_room(100, 1000)
    assert used == [900], "there was room: the memory is kept"
    assert allocator.make_room(500, 1000)
    assert used == [480]
    assert not allocator.make_room(521, 1000)
