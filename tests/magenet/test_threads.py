"""Threads of PyTorch's operations."""

import subprocess
import sys

from tests.conftest import ROOT

SCRIPT = """
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from magenet.threads import use_one_thread

torch.set_num_threads(3)
large = torch.rand(1000, 1000)
with ThreadPoolExecutor(1, "beside", use_one_thread) as beside, ThreadPoolExecutor(1) as later:
    before = len(list(Path("/proc/self/task").iterdir()))
    beside.submit(lambda: (large + 1.0).sum().item()).result()
    assert len(list(Path("/proc/self/task").iterdir())) == before + 1, "a team was started"
    assert beside.submit(torch.get_num_threads).result() == 1
    assert torch.get_num_threads() == 3
    assert later.submit(torch.get_num_threads).result() == 3
"""


def test_the_thread_beside_has_no_team_and_others_keep_theirs() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, cwd=ROOT)
