"""Speed of networks, training, inference, loading and start-up, relative to the machine.

Command:  make bench
Hardware: 2 CPU cores, or a GPU with --device cuda.
Time:     about 12 minutes on 2 cores.
Writes:   experiments/results/speed.json and speed.md.

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
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from experiments.benchmarks import (
    ceilings,
    distributed,
    inference,
    loading,
    parts,
    report,
    startup,
    steps,
    variants,
)
from experiments.benchmarks.setting import Setting, Table
from magenet.allocator import keep_freed_memory
from magenet.atomic_write import atomic_write
from magenet.callbacks.provenance import PACKAGES, commit, processor

SECTIONS: dict[str, Callable[[Setting], list[Table]]] = {
    "startup": startup.measure,
    "ceilings": ceilings.measure,
    "steps": steps.measure,
    "parts": parts.measure,
    "inference": inference.measure,
    "loading": loading.measure,
    "ddp": distributed.measure,
    "checkpointing": variants.checkpointing,
    "compile": variants.compiled,
}


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
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--size", type=int, default=256, help="pixels of a training photograph")
    parser.add_argument("--batch", type=int, default=8, help="photographs a batch at that size")
    parser.add_argument("--networks", nargs="+", default=["tiny", "compact", "base", "MPRNet"])
    parser.add_argument("--network", default="compact", help="network of the other sections")
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="time budget of each comparison"
    )
    parser.add_argument("--steps", type=int, default=10, help="steps of the Trainer to time")
    parser.add_argument("--inference-sizes", type=int, nargs="+", default=[512, 1024, 2048, 4096])
    parser.add_argument("--photograph-size", type=int, default=1024, help="pixels on disk")
    parser.add_argument("--photograph-count", type=int, default=16)
    parser.add_argument("--matrix-side", type=int, default=2048)
    parser.add_argument(
        "--compile", action="store_true", help="measure torch.compile, too (takes minutes)"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; a section that fails is reported and the others go on."""
    options = parse_arguments(arguments)
    keep_freed_memory()  # as `magenet fit` does
    old = json.loads(options.compare.read_text()) if options.compare else None
    names = {field.name for field in dataclasses.fields(Setting)} - {"folder"}
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(Path(folder), **{name: getattr(options, name) for name in names})
        result: dict[str, Any] = {"facts": facts(setting), "tables": {}}
        took = []
        for name in tqdm(options.only or list(SECTIONS), unit="section"):
            start = time.perf_counter()
            try:
                tables = SECTIONS[name](setting)
            except Exception as error:  # any error: keep the results of the other sections
                traceback.print_exc()
                failures += 1
                why = {"why": "what went wrong."}
                tables = [Table(f"FAILED: {name}", why, {name: {"why": str(error)}})]
            took.append(f"{name} {time.perf_counter() - start:.0f} s")
            result["facts"]["took"] = ", ".join(took)
            for table in tables:
                failures += sum("failed" in row for row in table.rows.values())  # a child process
                result["tables"][table.title] = {"columns": table.columns, "rows": table.rows}
    text = report.markdown(result)
    print(text)
    for path, content in (
        (options.json, json.dumps(result, indent=1) + "\n"),
        (options.markdown, text),
    ):
        if path is not None:
            with atomic_write(path) as part:
                part.write_text(content)
    if old is not None:
        print(report.compare(result, old))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
