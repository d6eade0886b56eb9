"""Time of a training step of each row of the comparison, and the steps that 25 minutes allow.

Command:  make step-times
Needs:    MAGENET_DATA=<folder of the photographs>; the machine that will train, otherwise idle.
Hardware: 2 CPU cores with bf16.
Time:     9 minutes of steps, by experiments/results/comparison_steps.md, and 16 starts.
Writes:   a Markdown table on the screen, copied by hand into comparison_steps.md.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from experiments.configurations import BASE, CONFIGS, PROTOCOL
from experiments.studies.runs import as_options

BUDGET = 25 * 60
"""Seconds of training that each row gets."""

FEW, MANY = 10, 40
"""Steps of two runs: the difference of their times excludes starting up."""


def seconds(row: Path, steps: int) -> float:
    """Return the wall time of a training without validation, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "magenet.main", "fit",
            *as_options([BASE, PROTOCOL, row]),
            "--trainer.max_steps", str(steps), "--trainer.limit_val_batches", "0",
            "--trainer.logger.init_args.save_dir", folder, "--trainer.enable_progress_bar", "false",
        ]  # fmt: skip
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start


def main() -> None:
    """Print a line for each row of the comparison."""
    rows = sorted((CONFIGS / "runs/comparison").glob("*.yaml"))
    print("| row | seconds a step | steps in 25 minutes |\n|---|---|---|")
    for row in rows:
        seconds(row, MANY)  # decodes photographs into the cache
        step = (seconds(row, MANY) - seconds(row, FEW)) / (MANY - FEW)
        print(f"| {row.stem} | {step:.2f} | {round(BUDGET / step, -2):.0f} |", flush=True)


if __name__ == "__main__":
    main()
