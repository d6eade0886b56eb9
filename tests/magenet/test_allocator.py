import platform
import subprocess
import sys

import pytest

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
