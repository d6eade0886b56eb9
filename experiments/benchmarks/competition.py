"""Enhancing while other processes compute: it should wait for its share of the cores, no longer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from experiments.benchmarks.setting import Setting, Table, environment
from experiments.benchmarks.timing import Timing, summary

PROCESSES = 4
"""Processes that compute meanwhile, one thread each."""

PHOTOGRAPHS = 5
"""Photographs of the folder; the first, which warms up, does not count."""

BUSY = """
import torch
matrix = torch.rand(512, 512)
print("begun", flush=True)
while True:
    matrix @ matrix
"""


def measure(setting: Setting) -> list[Table]:
    """Return how long a photograph takes alone and beside processes that compute."""
    table = Table(
        f"Enhancing beside other processes, {setting.photograph_size} px",
        {
            "ms": "a photograph in a folder by `magenet enhance`, as its report says: median, and "
            "half the spread of the middle half.",
            "over alone": f"that time over the time alone. {PROCESSES} processes of one thread "
            "leave a process of two threads on two cores a third of them.",
        },
    )
    alone = None
    for count in (0, PROCESSES):
        with _busy(count):
            timing = _enhanced(setting)
        alone = alone or timing
        name = f"beside {count}" if count else "alone"
        table.rows[name] = {"ms": timing.milliseconds(), "over alone": timing.over(alone)}
    return [table]


def _enhanced(setting: Setting) -> Timing:
    """Return the time of a photograph in a folder.

    Raises:
        CalledProcessError: If the command fails.
    """
    results = setting.folder / "beside"
    folder = setting.photographs["jpg"].parent
    photographs = [str(folder / f"{index:03d}.jpg") for index in range(setting.photograph_count)]
    command = [sys.executable, "-m", "magenet.main", "enhance", *photographs[:PHOTOGRAPHS]]
    options = ["-o", str(results), "--overwrite", "--force"]
    subprocess.run(
        [*command, *options], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=environment(),
    )  # fmt: skip
    reports = [json.loads(path.read_text()) for path in sorted(results.glob("*.json"))]
    return summary([report["seconds"] for report in reports[1:]])


@contextmanager
def _busy(count: int) -> Iterator[None]:
    """Let processes compute meanwhile."""
    command = [sys.executable, "-c", BUSY]
    with ExitStack() as stack:
        for _ in range(count):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(1))
            stack.enter_context(process)  # waits for its end
            stack.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
        yield
