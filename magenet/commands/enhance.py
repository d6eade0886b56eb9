"""Enhance photographs with the weights in the package: `magenet enhance INPUT... -o OUT`."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from data_modules.io import NATIVE_SUFFIXES, PictureError, read_native
from data_modules.manifest import Manifest, ManifestError, Photograph
from data_modules.places import require_outside
from magenet.errors import UserError
from magenet.inference.device import device_for
from magenet.inference.folder import Outcome, Row, Task, enhance_all, write_summary
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

    What is no photograph among others, as `photos/*` gives it, is left out and said.

    Returns:
        Photographs that all have names of their own: those of one name in several folders have
        their folder's before it.

    Raises:
        ManifestError: If one leads to nothing.
    """
    paths: list[str] = []
    for given in inputs:
        some = [given]
        if has_magic(given) and not Path(given).exists():
            some = sorted(glob(given, recursive=True))
        if not some:
            raise ManifestError(f"{given}: no such files")
        paths += some
    found: dict[Path, Photograph] = {}
    faults = []
    for path in paths:
        try:
            if Path(path).is_file() and Path(path).suffix.lower() not in (*NATIVE_SUFFIXES, ".csv"):
                raise ManifestError(f"{path}: not a picture by its name")
            for photograph in Manifest.from_path(path, NATIVE_SUFFIXES):
                found.setdefault(photograph.image.resolve(), photograph)
        except ManifestError as error:
            if not Path(path).exists():
                raise
            faults.append(str(error))
    if not found:
        raise ManifestError("; ".join(faults))
    for fault in faults:
        print(f"magenet: left out: {fault}", file=sys.stderr)
    return distinct(found)


def distinct(found: dict[Path, Photograph]) -> list[Photograph]:
    """Return photographs with a name each: as much of their path as tells them apart.

    Args:
        found: Photographs by their full path.
    """
    names = Counter(photograph.name for photograph in found.values())
    named = []
    for path, photograph in found.items():
        if names[photograph.name] > 1:
            others = [p for p, other in found.items() if other.name == photograph.name]
            parts = next(
                n
                for n in range(1, len(path.parts) + 1)
                if sum(p.parts[-n:] == path.parts[-n:] for p in others) == 1
            )
            name = "/".join(path.parts[-max(parts, 2) :]).lstrip("/")
            named.append(replace(photograph, name=name))
        else:
            named.append(photograph)
    return named


def run(options: argparse.Namespace) -> int:
    """Enhance everything; return the exit status.

    Raises:
        UserError: For what concerns all photographs: weights, the folder.
    """
    photographs = collect(options.input)
    for given in options.input:
        require_outside(options.out, given)
    enhancer = PhotographEnhancer.from_pretrained(
        options.weights, options.device, options.max_memory
    )
    task = Task(
        options.out, options.weights, options.strength, options.force, options.skip_existing,
        options.max_memory,
    )  # fmt: skip
    write_summary(options.out, [])  # find out now whether the folder can be written to
    rows: list[Row] = []
    outcomes = enhance_all(enhancer, photographs, task)
    with ExitStack() as stack:
        page = PageWriter(options.out / "report.html") if options.html else None
        if page is not None:
            stack.callback(page.close)
        stack.callback(lambda: write_summary(options.out, rows))
        bar = stack.enter_context(tqdm(total=len(photographs), unit="photograph"))
        for photograph in photographs:
            outcome = next(outcomes)  # by hand: a loop's own variable would hold two photographs
            rows.append(outcome.row)
            if outcome.row["status"] in ("failed", "refused"):
                tqdm.write(f"magenet: not enhanced: {outcome.row['reasons'][0]}", file=sys.stderr)
            if page is not None:
                page.add(entry_of(outcome, photograph, options.out))
            del outcome
            bar.update()
    counts = Counter(row["verdict"] or row["status"] for row in rows)
    said = ", ".join(f"{count} {what}" for what, count in counts.items())
    print(f"{len(rows)} photographs: {said}; results in {options.out}")
    return int(any(row["status"] in ("failed", "refused") for row in rows))


def entry_of(outcome: Outcome, photograph: Photograph, folder: Path) -> Entry:
    """Return what the page shows of a photograph; of one enhanced earlier, from its file.

    Args:
        outcome: What became of it.
        photograph: Which one.
        folder: Of the results.
    """
    row, before, result = outcome.row, outcome.before, outcome.result
    after = None if result is None else result.image
    if row["status"] == "skipped":
        with contextlib.suppress(PictureError):  # it was moved since: the line alone is shown
            after = read_native((folder / photograph.name).with_name(row["result"]))
            before = read_native(photograph.image)
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
        planes = [  # one by one, to spare memory
            plane if plane.dtype == torch.uint8 else (plane.float() / 257).round().byte()
            for plane in image
        ]
        return torch.stack(planes, dim=-1).numpy()

    shown, doubt = None if after is None else before, None
    if result is not None:  # a map of the page's size will do, and a full one would cost memory
        doubt = result.uncertainty(max(1, max(result.image.shape) // PAGE_SIDE)).numpy()
    return Entry(
        name=row["name"], status=row["status"], verdict=row["verdict"],
        reason="; ".join(row["reasons"]), before=picture(shown),
        after=picture(after),
        uncertainty=doubt, facts=facts,
    )  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status."""
    own = parser()
    options = own.parse_args(arguments)
    if not 0.0 <= options.strength <= 1.0:
        own.error(f"--strength must lie in [0, 1], got {options.strength}")
    try:
        options.max_memory = parsed_memory(options.max_memory)
    except ValueError as error:
        own.error(f"--max-memory: {error}")
    try:
        options.device = device_for(options.device)
    except UserError as error:
        own.error(str(error))
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
