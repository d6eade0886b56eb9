"""Prepare a public data set for training and tests: `magenet prepare NAME SRC OUT`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from data_modules.public.preparation import prepare
from data_modules.public.prepared import Prepared, summary
from data_modules.public.sets import SETS
from magenet.commands.parser import CommandParser, did_you_mean
from magenet.errors import UsageError, printable


def report(prepared: Prepared) -> int:
    """Print what was prepared and what could not be used; return the exit status."""
    for fault in prepared.faults:
        print(f"magenet: left out: {printable(fault.reason)}", file=sys.stderr)
    print("\n".join(summary(prepared)))
    return 1 if prepared.faults else 0


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status: 1 if any photograph cannot be used, else 0.

    Raises:
        UserError: If the set is unknown, or cannot be prepared.
    """
    known = "\n".join(
        f"  {name:12} {public_set.title}: {public_set.contents}"
        for name, public_set in SETS.items()
    )
    parser = CommandParser(
        prog="magenet prepare",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Prepare a public data set that you have obtained: OUT/index.csv with splits,\n"
        "patients, hashes and near-duplicates, masks as PNG, and preparation.json with counts,\n"
        "licence and what was left out. Photographs are linked, not copied. SRC is only read.",
        epilog=f"sets:\n{known}\n\ndocs/data.md says where to obtain each, and its licence.",
    )
    parser.add_argument("name", metavar="NAME", help="name of the set, see below")
    parser.add_argument("source", metavar="SRC", type=Path, help="folder it was unpacked to")
    parser.add_argument("folder", metavar="OUT", type=Path, help="folder to prepare, a new one")
    parser.add_argument(
        "--partial", action="store_true", help="prepare what is there of an incomplete set"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that decode (default: 1)")
    options = parser.parse_args(arguments)
    if options.name not in SETS:
        raise UsageError(
            f"no set '{options.name}'{did_you_mean(options.name, SETS)}; choose one of "
            f"{', '.join(SETS)}; for a folder of your own: magenet manifest"
        )
    if options.workers < 0:
        raise UsageError("--workers must be at least 0")
    public_set = SETS[options.name]
    status = report(
        prepare(public_set, options.source, options.folder, options.partial, options.workers)
    )
    print(f"licence: {public_set.licence}\ncite: {public_set.citation}")
    return status
