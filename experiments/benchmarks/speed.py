"""Speed of networks, training, inference, loading and start-up, relative to the machine.

Command:  make bench, or make bench DEVICE=cuda
Hardware: 2 CPU cores, or a GPU.
Time:     about 12 minutes on 2 cores, 9 at most on a GPU.
Writes:   experiments/results/speed.json and speed.md, on a GPU speed_cuda.json and speed_cuda.md,
          anew after each table.

On a GPU what matters most is measured first, and what the time does not suffice for is named.
Compare ratios within one run: absolute numbers depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from experiments.benchmarks import (
    ceilings,
    competition,
    distributed,
    inference,
    loading,
    on_device,
    parts,
    precisions,
    report,
    startup,
    steps,
    variants,
)
from experiments.benchmarks.networks import PEER
from experiments.benchmarks.setting import Setting, Table
from experiments.benchmarks.time_limit import TimeIsUp, time_limit
from magenet.allocator import keep_freed_memory
from magenet.atomic_write import atomic_write
from magenet.callbacks.provenance import PACKAGES, commit, processor

SECTIONS: dict[str, Callable[[Setting], Iterable[Table]]] = {
    "startup": startup.measure,
    "ceilings": ceilings.measure,
    "steps": steps.measure,
    "parts": parts.measure,
    "inference": inference.measure,
    "loading": loading.measure,
    "ddp": distributed.measure,
    "checkpointing": variants.checkpointing,
    "compile": variants.compiled,
    "tests": on_device.tests,
    "precisions": precisions.measure,
    "batches": precisions.batches,
    "degradation": on_device.degradation,
    "enhancing": on_device.enhancing,
    "competition": competition.measure,
}

ORDER = {
    "cpu": (
        "startup", "enhancing", "competition", "ceilings", "steps", "parts", "inference", "loading",
        "ddp", "checkpointing", "compile",
    ),
    "cuda": (
        "precisions", "tests", "enhancing", "batches", "degradation", "ddp", "parts", "ceilings",
        "steps", "inference", "loading", "checkpointing",
    ),
}  # fmt: skip
"""Sections by device; on a GPU what matters most comes first."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "cpu": {
        "batch": 8, "networks": ["tiny", "compact", "base", PEER], "seconds": 30.0,
        "minutes": float("inf"), "compile": False, "most_batch": 16,
    },
    "cuda": {
        "batch": 64, "networks": ["compact", "base"], "seconds": 12.0, "minutes": 9.0,
        "compile": True, "most_batch": 1 << 20,
    },
}  # fmt: skip
"""Defaults of options by device. The peer, in fp32, does not fit with a GPU's batch."""

Writer = Callable[[dict[str, Any]], str]
"""Returns the content of a file of results."""

CLOSING = 15.0
"""Seconds at the end that are left for writing (our choice)."""


def facts(setting: Setting) -> dict[str, str | float]:
    """Return what the numbers depend on: commit, machine, versions."""
    on_gpu = setting.device.type == "cuda"
    return {
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name(setting.device) if on_gpu else "cpu",
        "processor": processor(),
        "cores": os.cpu_count() or 0,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": " ".join(f"{name} {version(name)}" for name in PACKAGES),
        "seconds a comparison": setting.seconds,
    }  # fmt: skip


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Return the parsed options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--markdown", type=Path, help="file for the report of the results")
    parser.add_argument(
        "--compare", type=Path, metavar="JSON", help="earlier results to compare with"
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="sections to run")
    parser.add_argument(
        "--minutes", type=float, help="most minutes of it all: 9 on a GPU, else no limit"
    )
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--size", type=int, default=256, help="pixels of a training photograph")
    parser.add_argument(
        "--batch", type=int, help="photographs a batch at that size: 64 on a GPU, else 8"
    )
    parser.add_argument("--most-batch", type=int, help="largest batch to try")
    parser.add_argument("--networks", nargs="+", help="networks to compare")
    parser.add_argument("--network", default="compact", help="network of the other sections")
    parser.add_argument("--seconds", type=float, help="time budget of each comparison")
    parser.add_argument("--steps", type=int, default=10, help="steps of the Trainer to time")
    parser.add_argument("--inference-sizes", type=int, nargs="+", default=[512, 1024, 2048, 4096])
    parser.add_argument("--photograph-size", type=int, default=1024, help="pixels on disk")
    parser.add_argument("--photograph-count", type=int, default=16)
    parser.add_argument("--matrix-side", type=int, default=2048)
    parser.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        help="measure torch.compile, too: as a rule on a GPU only, since it takes minutes",
    )
    options = parser.parse_args(arguments)
    if options.device.type == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: this machine has no GPU that PyTorch can use")
    for name, value in DEFAULTS[options.device.type].items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


class Result:
    """What was measured, written anew after each table.

    Args:
        facts: What the numbers depend on.
        files: Files to write, and what makes their content of the result.
    """

    def __init__(
        self, facts: dict[str, str | float], files: list[tuple[Path | None, Writer]]
    ) -> None:
        self.content: dict[str, Any] = {"facts": facts, "tables": {}}
        self.files = files

    def add(self, table: Table) -> None:
        """Add a table, or replace the one of the same title."""
        self.content["tables"][table.title] = {"columns": table.columns, "rows": table.rows}
        self.write()

    def write(self) -> None:
        """Write the files."""
        for path, text in self.files:
            if path is not None:
                with atomic_write(path) as part:
                    part.write_text(text(self.content))

    @property
    def failures(self) -> int:
        """Return how many rows have no number because something failed."""
        tables = self.content["tables"].values()
        return sum("failed" in row for table in tables for row in table["rows"].values())


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; a section that fails is reported and the others go on."""
    begun = time.monotonic()
    options = parse_arguments(arguments)
    keep_freed_memory()  # as `magenet fit` does
    old = json.loads(options.compare.read_text()) if options.compare else None
    names = {field.name for field in dataclasses.fields(Setting)} - {"folder"}
    end = begun + 60 * options.minutes - CLOSING
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(Path(folder), **{name: getattr(options, name) for name in names})
        result = Result(
            facts(setting), [(options.json, as_json), (options.markdown, report.markdown)]
        )
        took: list[str] = []
        for name in tqdm(options.only or ORDER[options.device.type], unit="section"):
            start = time.monotonic()
            try:
                with time_limit(end - start):
                    for table in SECTIONS[name](setting):
                        result.add(table)
                took.append(f"{name} {time.monotonic() - start:.0f} s")
            except TimeIsUp:
                took.append(f"{name} not completed, the time was up")
            except Exception as error:  # any error: keep the results of the other sections
                traceback.print_exc()
                took.append(f"{name} failed")
                why = {"failed": "what went wrong."}
                result.add(Table(f"FAILED: {name}", why, {name: {"failed": str(error)}}))
            result.content["facts"]["took"] = ", ".join(took)
            result.write()
    print(report.markdown(result.content))
    if old is not None:
        print(report.compare(result.content, old))
    return 1 if result.failures else 0


def as_json(content: dict[str, Any]) -> str:
    """Return a result as text."""
    return json.dumps(content, indent=1) + "\n"


if __name__ == "__main__":
    sys.exit(main())
