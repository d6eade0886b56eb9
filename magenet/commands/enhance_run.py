"""What `magenet enhance` does once its options are known, and what it prints."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from data_modules.files.memory_estimate import parsed_memory
from magenet.enhancement.decisions import read_decisions
from magenet.enhancement.device import device_for
from magenet.enhancement.folder.arrivals import Arrivals
from magenet.enhancement.folder.results import FolderOptions
from magenet.enhancement.folder.run import Summary, enhance_to_folder
from magenet.enhancement.folder.watch import watch_folder
from magenet.enhancement.outcome import NOT_ENHANCED
from magenet.errors import printable

WORDS = {"abstain": "do not use (abstain)"}
"""Words for a verdict or status in the summary, where they are not its value."""

NAMED = 3
"""Photographs at most that a message names."""


def run(options: argparse.Namespace) -> int:
    """Enhance what the options of `magenet enhance` name, and return the exit status.

    Raises:
        UserError: For what concerns all photographs.
    """
    decisions = read_decisions(options.decisions) if options.decisions else {}
    folder_options = FolderOptions(
        options.weights, options.strength, options.force, options.fast, options.out,
        options.skip_existing, options.overwrite, parsed_memory(options.max_memory),
        options.metadata,
    )  # fmt: skip
    device = device_for(options.device)
    given = folder_options, device, options.html, decisions
    if options.watch:
        done = watch_folder(Arrivals(Path(options.input[0])), *given)
    else:
        done = enhance_to_folder(options.input, *given, options.shard)
    _tell_summary(options, done)
    _tell_decisions(options, done, len(decisions))
    if done.missing:
        some = ", ".join(map(printable, done.missing[:NAMED]))
        print(
            f"magenet: {len(done.missing)} photographs came while the parts ran and are in none of "
            f"them ({some}{', ...' if len(done.missing) > NAMED else ''}): run once more without "
            "--shard, with --skip-existing",
            file=sys.stderr,
        )
    failed = not options.watch and any(row["status"] in NOT_ENHANCED for row in done.rows)
    return int(done.page_failed or failed or bool(done.missing))


def _tell_summary(options: argparse.Namespace, done: Summary) -> None:
    """Print how many photographs have which verdict."""
    counts = Counter(row["verdict"] or row["status"] for row in done.rows)
    summary = ", ".join(f"{count} {WORDS.get(key, key)}" for key, count in counts.items())
    photographs = "photograph" if len(done.rows) == 1 else "photographs"
    if skipped := sum(row["status"] == "skipped" for row in done.rows):
        photographs += f" ({skipped} enhanced before)"
    earlier = f"; enhance.csv also lists {done.earlier} of earlier runs" if done.earlier else ""
    if done.earlier is None:
        earlier = "; the last part to finish writes enhance.csv"
    folder = printable(str(options.out))
    print(f"{len(done.rows)} {photographs}: {summary or 'none'}; results in {folder}{earlier}")
    if counts["refused"]:
        print("--force also enhances those that do not look like fundus photographs")


def _tell_decisions(options: argparse.Namespace, done: Summary, given: int) -> None:
    """Print how many of the given decisions the page shows, if there is a page."""
    if options.decisions and not done.page_failed:
        shown = given - len(done.other_decisions)
        print(f"decisions or notes on report.html: {shown}; give --decisions in later runs, too")
    if others := done.other_decisions:
        names = [printable(one.photograph) for one in others if one.photograph][:NAMED]
        of = f" ({', '.join(names)}{', ...' if len(others) > len(names) else ''})" if names else ""
        print(
            f"magenet: {printable(str(options.decisions))}: {len(others)} of {given} "
            f"decisions{of} are on other photographs, or on earlier results of these; the page "
            "does not show them",
            file=sys.stderr,
        )
