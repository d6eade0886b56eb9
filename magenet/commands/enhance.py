"""Enhance photographs with the weights in the package: `magenet enhance INPUT... -o OUT`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from glob import glob, has_magic
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from data_modules.io import NATIVE_SUFFIXES
from data_modules.manifest import Manifest, ManifestError, Photograph
from data_modules.places import require_outside
from magenet.errors import UserError
from magenet.inference.device import device_for
from magenet.inference.folder import Outcome, Task, enhance_all, write_summary
from magenet.inference.memory import parsed_memory
from magenet.inference.photograph import PhotographEnhancer
from magenet.report.page import Entry, PageWriter

PAGE_SIDE = 1024
"""Longer side that a map of uncertainty has at least on the page, in pixels."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    own = argparse.ArgumentParser(
        prog="magenet enhance",
        description="Enhance fundus photographs at their own size. Each result has its "
        "photograph's name, with a report (.json) beside it; enhance.csv lists all of them. "
        "Nothing outside the field of view changes. Not a medical device.",
        epilog="Exit status: 0, or 1 if a photograph was not enhanced, 2 for a mistake on the "
        "command line.",
    )
    own.add_argument(
        "input", nargs="+", help="photographs, folders, patterns, or a manifest (.csv)"
    )
    own.add_argument("-o", "--out", type=Path, required=True, help="folder of the results")
    own.add_argument(
        "--strength", type=float, default=1.0, help="share of the change to apply, 0 to 1"
    )
    own.add_argument(
        "--skip-existing", action="store_true", help="leave alone what an earlier run did"
    )
    own.add_argument("--html", action="store_true", help="write a page to look at, report.html")
    own.add_argument(
        "--force", action="store_true", help="enhance what does not look like a fundus, too"
    )
    own.add_argument(
        "--weights", default="mage_net", help="name, folder or hub id (default: %(default)s)"
    )
    own.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    own.add_argument(
        "--max-memory", default="1.5G", help="what the process may use (default: %(default)s)"
    )
    return own


def collect(inputs: list[str]) -> list[Photograph]:
    """Return the photographs that a person points at, each once.

    Args:
        inputs: Files, folders, patterns that the shell did not expand, manifests.

    Raises:
        ManifestError: If one leads to nothing.
    """
    found: dict[Path, Photograph] = {}
    for given in inputs:
        paths = sorted(glob(given, recursive=True)) if has_magic(given) else [given]
        if not paths:
            raise ManifestError(f"{given}: no such files")
        for path in paths:
            for photograph in Manifest.from_path(path, NATIVE_SUFFIXES):
                found.setdefault(photograph.image.resolve(), photograph)
    return list(found.values())


def run(options: argparse.Namespace) -> int:
    """Enhance everything; return the exit status.

    Raises:
        UserError: For what concerns all photographs: options, weights, the folder.
    """
    try:
        max_memory = parsed_memory(options.max_memory)
    except ValueError as error:
        raise UserError(f"--max-memory: {error}") from None
    if not 0.0 <= options.strength <= 1.0:
        raise UserError(f"--strength must lie in [0, 1], got {options.strength}")
    photographs = collect(options.input)
    for given in options.input:
        require_outside(options.out, given)
    device = device_for(options.device)
    enhancer = PhotographEnhancer.from_pretrained(options.weights, device, max_memory)
    task = Task(
        options.out, options.weights, options.strength, options.force, options.skip_existing,
        max_memory,
    )  # fmt: skip
    write_summary(options.out, [])  # find out now whether the folder can be written to
    rows = []
    page = PageWriter(options.out / "report.html") if options.html else None
    try:
        outcomes = enhance_all(enhancer, photographs, task)
        for outcome in tqdm(outcomes, total=len(photographs), unit="photograph"):
            rows.append(outcome.row)
            if outcome.row["status"] in ("failed", "refused"):
                tqdm.write(f"magenet: not enhanced: {outcome.row['reasons'][0]}", file=sys.stderr)
            if page is not None:
                page.add(entry_of(outcome))
    finally:
        write_summary(options.out, rows)
        if page is not None:
            page.close()
    counts = Counter(row["verdict"] or row["status"] for row in rows)
    said = ", ".join(f"{count} {what}" for what, count in counts.items())
    print(f"{len(rows)} photographs: {said}; results in {options.out}")
    return int(any(row["status"] in ("failed", "refused") for row in rows))


def entry_of(outcome: Outcome) -> Entry:
    """Return what the page shows of a photograph."""
    row, before, result = outcome.row, outcome.before, outcome.result
    facts = {
        name: row[name]
        for name in (
            "expected_error", "mean_change", "colour_change", "vessel_lost", "vessel_invented",
            "field_confidence", "width", "height", "seconds",
        )
        if row.get(name) is not None
    }  # fmt: skip

    def picture(image: torch.Tensor | None) -> np.ndarray[Any, Any] | None:
        if image is None:
            return None
        eight = image if image.dtype == torch.uint8 else (image.float() / 257).round().byte()
        return eight.permute(1, 2, 0).numpy()

    shown, doubt = None if result is None else before, None
    if result is not None:  # a map of the page's size will do, and a full one would cost memory
        doubt = result.uncertainty(max(1, max(result.image.shape) // PAGE_SIDE)).numpy()
    return Entry(
        name=row["name"], status=row["status"], verdict=row["verdict"],
        reason="; ".join(row["reasons"]), before=picture(shown),
        after=picture(None if result is None else result.image),
        uncertainty=doubt, facts=facts,
    )  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status."""
    options = parser().parse_args(arguments)
    try:
        return run(options)
    except UserError as error:
        print(f"magenet: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "magenet: stopped; what is written is whole, go on with --skip-existing",
            file=sys.stderr,
        )
        return INTERRUPTED
