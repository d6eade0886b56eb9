"""Start-up time of the command line."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from experiments.benchmarks.setting import Setting, Table, environment
from experiments.benchmarks.timing import interleaved

RUNS = 5

COMMANDS = {
    "magenet --help": ["--help"],
    "magenet enhance --help": ["enhance", "--help"],
    "magenet fit --help": ["fit", "--help"],
    "magenet fit --help-all": ["fit", "--help-all"],
}


def answer(arguments: list[str]) -> None:
    """Run the command line in its own process.

    Raises:
        CalledProcessError: If it fails.
    """
    command = [sys.executable, "-m", "magenet.main", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment())


def measure(setting: Setting) -> list[Table]:
    """Return the wall time of each command."""
    calls = {name: partial(answer, arguments) for name, arguments in COMMANDS.items()}
    photograph, results = setting.photographs["jpg"].with_name("000.jpg"), setting.folder / "first"
    enhance = ["enhance", str(photograph), "-o", str(results), "--overwrite", "--force"]
    calls[f"magenet enhance <one of {setting.photograph_size} px>"] = partial(answer, enhance)
    times = interleaved(calls, setting.device, setting.seconds, max_rounds=RUNS)
    table = Table(
        "Start-up",
        {
            "ms": f"wall time of `python -m magenet.main ...`: median of {RUNS} processes at most, "
            "after one that brings the files into memory."
        },
    )
    for name, timing in times.items():
        table.rows[name] = {"ms": timing.milliseconds()}
    return [table]
