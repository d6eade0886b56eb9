"""What enhancing one photograph costs each row of the tables: all of them in one run.

`python experiments/tables/costs.py`, on a machine without other work. Every row has a process of
its own. Neither depends on what a network has learnt, so that none needs to be trained. Written to
`experiments/results/costs.csv` and `costs.md`.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import yaml
from jsonargparse import ArgumentParser
from tqdm import tqdm

from magenet.inference.photograph import half_precision
from magenet.models import Enhancer
from magenet.report.provenance import commit, cost, processor

EXPERIMENTS = Path(__file__).parents[1]
ROWS = {
    "CLAHE": "peers/clahe.yaml",
    "Setiawan": "peers/setiawan.yaml",
    "dark channel prior": "peers/dark_channel.yaml",
    "Ben Graham": "peers/ben_graham.yaml",
    "unsharp mask": "peers/unsharp.yaml",
    "GLCAE-like": "peers/global_local.yaml",
    "U-Net": "comparison/unet.yaml",
    "NAFNet": "comparison/nafnet.yaml",
    "MPRNet-like": "comparison/mprnet.yaml",
    "I-SECRET-like": "comparison/i_secret.yaml",
    "cofe-Net-like": "comparison/cofe_net.yaml",
    "GFE-Net-like": "comparison/gfe_net.yaml",
    "MAGE-Net (and each of T-S MAGE-Net)": "comparison/mage_net.yaml",
}
"""Configurations, by what the tables call them."""

COLUMNS = ("row", "parameters", "gmacs", "milliseconds", "memory_mb")
REPEATS = 15


def measured(config: Path, size: int) -> dict[str, float | str]:
    """Return what one photograph costs, in this process.

    Args:
        config: Whose network it is.
        size: Side of the photograph, in pixels.
    """
    network = built(config).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    image = torch.rand(1, 3, size, size).contiguous(memory_format=torch.channels_last)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (
        torch.inference_mode(),
        torch.autocast("cpu", torch.bfloat16, enabled=half_precision(torch.device("cpu"))),
    ):
        network(image)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held
        times = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            network(image)
            times.append(time.perf_counter() - start)
        counted = cost(network, image)["gmacs"]
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "gmacs": counted,
        "milliseconds": round(1000 * statistics.median(times), 1),
        "memory_mb": round(memory / 2**10),
    }


def built(config: Path) -> Enhancer:
    """Return the network of a configuration, as it is before any training."""
    network = yaml.safe_load(config.read_text())["model"]["init_args"]["network"]
    parser = ArgumentParser()
    parser.add_subclass_arguments(Enhancer, "network")
    made: Enhancer = parser.instantiate(parser.parse_object({"network": network})).network
    return made


def main(arguments: list[str] | None = None) -> int:
    """Measure every row and write them."""
    parser = argparse.ArgumentParser(description="What one photograph costs each row.")
    parser.add_argument("--size", type=int, default=256, help="side of the photograph, in pixels")
    parser.add_argument("--out", type=Path, default=EXPERIMENTS / "results")
    parser.add_argument("--one", type=Path, help="measure this configuration in this process")
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(measured(options.one, options.size)))
        return 0
    lines = []
    for row, config in tqdm(ROWS.items(), unit="row"):
        command = [sys.executable, __file__, "--one", str(EXPERIMENTS / config)]
        command += ["--size", str(options.size)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"'{row}' could not be measured: see above", file=sys.stderr)
            return 1
        lines.append({"row": row, **json.loads(done.stdout.splitlines()[-1])})
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "costs.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(lines)
    precision = "bf16" if half_precision(torch.device("cpu")) else "fp32"
    text = [
        "# What one photograph costs", "",
        f"Made by `python experiments/tables/costs.py` at commit {commit()}: one photograph of "
        f"{options.size} px, {torch.get_num_threads()} threads of {processor()}, {precision}; the "
        f"median of {REPEATS} passes, and what the first one adds to a process's greatest memory. "
        "GMACs count products of networks only.", "",
        "| | parameters | GMACs | milliseconds | memory, MiB |", "|---|---|---|---|---|",
        *("| " + " | ".join(str(line[column]) for column in COLUMNS) + " |" for line in lines),
    ]  # fmt: skip
    (options.out / "costs.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
