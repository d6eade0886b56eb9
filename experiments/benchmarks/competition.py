"""Enhancing while other processes compute: it should wait for its share of the cores, no longer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from data_modules.datasets.phantom import draw_phantom
from experiments.benchmarks.on_device import MEMORY
from experiments.benchmarks.setting import Setting, Table, environment
from experiments.benchmarks.timing import median_of
from magenet.enhancement.enhancer import PhotographEnhancer

PROCESSES = 4
"""Processes that compute meanwhile, one thread each."""

BUSY = """
import torch
matrix = torch.rand(512, 512)
print("begun", flush=True)
while True:
    matrix @ matrix
"""


def measure(setting: Setting) -> list[Table]:
    """Return how long a photograph takes alone and beside processes that compute."""
    enhancer = PhotographEnhancer.from_pretrained("mage_net", setting.device, MEMORY)
    phantom = draw_phantom(0, setting.photograph_size)
    table = Table(
        f"Enhancing beside other processes, {setting.photograph_size} px",
        {
            "ms": "one photograph by the released network, as in the table of all sizes.",
            "over alone": f"that time over the time alone. {PROCESSES} processes of one thread "
            "leave a process of two threads on two cores a third of them.",
        },
    )
    alone = None
    for count in (0, PROCESSES):
        with _busy(count):
            timing = median_of(
                lambda: enhancer(phantom.image, phantom.field, force=True),
                setting.device,
                setting.seconds / 2,
            )
        alone = alone or timing
        name = f"beside {count}" if count else "alone"
        table.rows[name] = {"ms": timing.milliseconds(), "over alone": timing.over(alone)}
    return [table]


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
