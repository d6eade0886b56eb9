"""Parameters, GMACs, time and memory of each row of the tables for one photograph.

Command:  make costs
Needs:    an otherwise idle machine. No trained network: the costs do not depend on the weights.
Hardware: CPU. All rows are measured in one run, each in its own process.
Time:     2 minutes.
Writes:   experiments/results/costs.csv and costs.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from experiments.benchmarks.inference import memory
from experiments.configurations import CONFIGS, RESULTS, build, read_config
from experiments.studies.tables import CLASSICAL, OTHER_LEARNED
from magenet.callbacks.provenance import REPEATS, commit, cost, processor
from magenet.enhancement.device import half_precision
from magenet.evaluation.tables import write_table
from magenet.models import Enhancer

ROWS = {
    **{label: f"magenet.models.peers.{network}" for network, (label, _) in CLASSICAL.items()},
    **{label: f"runs/comparison/{name}.yaml" for name, label in OTHER_LEARNED.items()},
    "MAGE-Net (and each of T-S MAGE-Net)": "runs/comparison/mage_net.yaml",
}
"""Class of a classical method or configuration of a network, by the label of its row."""

COLUMNS = ("row", "parameters", "gmacs", "milliseconds", "memory_mb")
"""Columns of the table; `memory_mb` is in MiB."""


def measure(source: str, size: int) -> dict[str, float | str]:
    """Return the cost of enhancing one photograph, measured in this process.

    Args:
        source: A value of :data:`ROWS`.
        size: Side of the photograph, in pixels.
    """
    network = build_network(source).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    image = torch.rand(1, 3, size, size).contiguous(memory_format=torch.channels_last)
    _, before = memory(image.device)
    with (
        torch.inference_mode(),
        torch.autocast("cpu", torch.bfloat16, enabled=half_precision(torch.device("cpu"))),
    ):
        network(image)
        _, peak = memory(image.device)
        return {
            "parameters": sum(p.numel() for p in network.parameters()),
            **cost(network, image),
            "memory_mb": round((peak - before) * 1e6 / 2**20),
        }


def build_network(source: str) -> Enhancer:
    """Return the untrained enhancer of a row, a value of :data:`ROWS`."""
    section: Any = source
    if source.endswith(".yaml"):
        section = read_config(CONFIGS / source)["model"]["init_args"]["network"]
    return build(Enhancer, section)  # type: ignore[type-abstract]  # of a subclass


def main(arguments: list[str] | None = None) -> int:
    """Measure every row and write the table."""
    parser = argparse.ArgumentParser(description="Cost of one photograph, by row.")
    parser.add_argument("--size", type=int, default=256, help="side of the photograph, in pixels")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--one", help="a value of ROWS: measure only it, in this process")
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(measure(options.one, options.size)))
        return 0
    rows = []
    for label, source in tqdm(ROWS.items(), unit="row"):
        command = [sys.executable, "-m", "experiments.studies.costs", "--one", source]
        command += ["--size", str(options.size)]
        process = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if process.returncode:
            print(f"'{label}' could not be measured: see above", file=sys.stderr)
            return 1
        rows.append({"row": label, **json.loads(process.stdout.splitlines()[-1])})
    write_table(options.out / "costs.csv", COLUMNS, rows)
    precision = "bf16" if half_precision(torch.device("cpu")) else "fp32"
    text = [
        "# Cost of enhancing one photograph", "",
        f"Made by `python -m experiments.studies.costs` at commit {commit()}: one photograph of "
        f"{options.size} px, {torch.get_num_threads()} threads of {processor()}, {precision}; the "
        f"median of {REPEATS} passes, and what the first pass adds to the process's peak memory. "
        "GMACs count convolutions and matrix products of networks only.", "",
        "| | parameters | GMACs | milliseconds | memory, MiB |", "|---|---|---|---|---|",
        *("| " + " | ".join(str(row[column]) for column in COLUMNS) + " |" for row in rows),
    ]  # fmt: skip
    (options.out / "costs.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
