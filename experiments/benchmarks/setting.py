"""What all sections of the benchmark share: its options, its photographs, its child processes."""

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
"""Seconds that a child process may take."""


@dataclass
class Table:
    """Hold measured numbers and say how each is defined.

    Attributes:
        title: What the table is about.
        columns: How each number is defined, by its column.
        rows: Entries by the row's name and by column; a row need not have all.
    """

    title: str
    columns: dict[str, str]
    rows: dict[str, dict[str, Cell]] = field(default_factory=dict)


@dataclass
class Setting:
    """Hold the options of a run.

    Attributes:
        folder: Temporary folder.
        device: Where to measure.
        size: Side of a training photograph, in pixels; the second size is twice that.
        batch: Pairs a batch at that size; a quarter at the second.
        networks: Which networks are compared.
        network: The one that the other sections are about.
        seconds: Budget of each group of comparisons.
        steps: Steps of the Trainer to time.
        inference_sizes: Sides of photographs to enhance.
        photograph_size: Side of photographs on disk.
        photograph_count: How many of them.
        matrix_side: Side of the matrices multiplied.
        compile: Whether to measure torch.compile.
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

    @cached_property
    def photographs(self) -> dict[str, Path]:
        """Return manifests of phantoms written to disk: `png`, `jpg` and `many`.

        `many` names the PNG files several times, under other names, so that some steps of a
        training do not reach the end of an epoch.
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
        # Two steps more than are timed, and at least twelve as the DDP runs make.
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
        """Return a folder that holds all those photographs decoded at the training size."""
        folder = self.folder / "cache"
        source = ManifestPhotographs(str(self.photographs["png"]), cache=str(folder))
        photographs = source.dataset("train", self.size)
        for index in range(len(photographs)):
            photographs.load(index)
        return folder


def environment(threads: int | None = None) -> dict[str, str]:
    """Return a child's environment: this very code, and so many threads."""
    paths = [str(Path(magenet.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    if threads is not None:
        variables |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return variables


def child(module: str, task: dict[str, Any], threads: int) -> dict[str, Any]:
    """Run a module beside this one in its own process and return what it found.

    Args:
        module: Its name; it takes the task as JSON and prints JSON in its last line.
        task: What to do.
        threads: Of the process.

    Returns:
        The answer, or `failed` with the reason.
    """
    command = [sys.executable, "-m", f"experiments.benchmarks.{module}", json.dumps(task)]
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
