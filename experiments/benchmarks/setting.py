"""Options, photographs and child processes that all sections of the benchmark share."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

import magenet
from data_modules import ManifestPhotographs
from data_modules.datasets.phantom import draw_phantom
from data_modules.files.writing import write_photograph
from experiments.benchmarks.timing import Cell

TIME_LIMIT = 600
"""Time limit of a child process, in seconds."""


@dataclass
class Table:
    """Measured numbers and their definitions.

    Attributes:
        title: Title of the table.
        columns: Definition of the numbers of each column.
        rows: Cells by row and column; a row need not have all columns.
    """

    title: str
    columns: dict[str, str]
    rows: dict[str, dict[str, Cell]] = field(default_factory=dict)


@dataclass
class Setting:
    """Options of a run.

    Attributes:
        folder: Temporary folder.
        device: Device to measure on.
        size: Side of a training photograph, in pixels; the second size is twice that.
        batch: Pairs a batch at that size; a quarter at the second.
        networks: Networks to compare.
        network: Network of the other sections.
        seconds: Time budget of each group of comparisons.
        steps: Steps of the Trainer to time.
        inference_sizes: Sides of photographs to enhance, in pixels.
        photograph_size: Side of photographs on disk, in pixels.
        photograph_count: Photographs on disk.
        matrix_side: Side of the matrices that are multiplied.
        compile: Whether to measure torch.compile.
        most_batch: Largest batch to try.
    """

    folder: Path
    device: torch.device
    size: int
    batch: int
    networks: list[str]
    network: str
    seconds: float
    steps: int
    inference_sizes: list[int]
    photograph_size: int
    photograph_count: int
    matrix_side: int
    compile: bool
    most_batch: int

    @cached_property
    def photographs(self) -> dict[str, Path]:
        """Write phantoms to disk and return their manifests: `png`, `jpg` and `many`.

        `many` lists each PNG file several times, by links of other names, so that the steps of a
        training stay within an epoch.
        """
        folder = self.folder / "photographs"
        rows: dict[str, list[tuple[str, str]]] = {"png": [], "jpg": [], "many": []}
        for seed in range(self.photograph_count):
            phantom = draw_phantom(seed, self.photograph_size)
            vessels = f"vessels_{seed:03d}.png"
            mask = phantom.vessels.expand(3, -1, -1).to(torch.uint8) * 255
            write_photograph(mask, folder / vessels)
            for kind in ("png", "jpg"):
                write_photograph(phantom.image, folder / f"{seed:03d}.{kind}")
                rows[kind].append((f"{seed:03d}.{kind}", vessels))
        # More steps than are timed, and than the twelve of the DDP runs.
        count = self.batch * (max(self.steps, 12) + 4)
        for index in range(count):
            image, vessels = rows["png"][index % self.photograph_count]
            name = f"many_{index:04d}.png"
            (folder / name).symlink_to(image)
            rows["many"].append((name, vessels))
        for kind, lines in rows.items():
            with (folder / f"{kind}.csv").open("w", newline="") as stream:
                writer = csv.writer(stream)
                writer.writerow(("image", "vessel_mask", "split"))
                writer.writerows((*line, "train") for line in lines)
        return {kind: folder / f"{kind}.csv" for kind in rows}

    @cached_property
    def cache(self) -> Path:
        """Return a cache of all photographs, decoded at the training size."""
        folder = self.folder / "cache"
        source = ManifestPhotographs(str(self.photographs["png"]), cache=str(folder))
        photographs = source.dataset("train", self.size)
        for index in range(len(photographs)):
            photographs.load(index)
        return folder


def environment(threads: int | None = None) -> dict[str, str]:
    """Return the environment of a child process: this checkout of the code, and its threads."""
    paths = [str(Path(magenet.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    if threads is not None:
        variables |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return variables


def child(module: str, arguments: dict[str, Any], threads: int) -> dict[str, Any]:
    """Run a module of this package in its own process and return its result.

    Args:
        module: Name of the module, which takes JSON and prints JSON in its last line.
        arguments: Arguments of the module.
        threads: Threads of the process.

    Returns:
        The result, or `failed` with the reason.
    """
    command = [sys.executable, "-m", f"experiments.benchmarks.{module}", json.dumps(arguments)]
    try:
        process = subprocess.run(
            command, capture_output=True, text=True, timeout=TIME_LIMIT, env=environment(threads)
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"took more than {TIME_LIMIT} s"}
    if process.returncode:
        lines = process.stderr.strip().splitlines() or [f"ended with status {process.returncode}"]
        return {"failed": lines[-1]}
    answer: dict[str, Any] = json.loads(process.stdout.strip().splitlines()[-1])
    return answer
