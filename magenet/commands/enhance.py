"""Enhance photographs with the weights in the package: `magenet enhance INPUT... -o OUT`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import get_args

from data_modules.files.memory_estimate import parsed_memory
from data_modules.files.writing import MetadataChoice
from magenet.commands.parser import CommandParser, add_enhancer_options
from magenet.enhancement.decisions import read_decisions
from magenet.enhancement.device import device_for
from magenet.enhancement.folder.arrivals import Arrivals
from magenet.enhancement.folder.results import FolderOptions
from magenet.enhancement.folder.run import Summary, enhance_to_folder
from magenet.enhancement.folder.shard import WHOLE, Shard
from magenet.enhancement.folder.watch import watch_folder
from magenet.enhancement.outcome import NOT_ENHANCED
from magenet.errors import UsageError, printable

WORDS = {"abstain": "do not use (abstain)"}
"""Words for a verdict or status in the summary, where they are not its value."""

NAMED = 3
"""Photographs at most that a message names."""


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status.

    Raises:
        UserError: If an option is out of range, or for what concerns all photographs.
    """
    options = _parser().parse_args(arguments)
    _require_possible(options)
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


def _parser() -> CommandParser:
    """Return the parser of the command's options."""
    parser = CommandParser(
        prog="magenet enhance",
        description="Enhance fundus photographs at their own size. Each result has its "
        "photograph's name, with a report (.json) beside it; enhance.csv lists all of them. "
        "Nothing outside the field of view changes, except that a JPEG is encoded again. Not a "
        "medical device.",
        epilog="Exit status: 0, or 1 if a photograph was not enhanced or the page not written, 2 "
        "for a mistake on the command line, 130 after Ctrl-C, 143 after SIGTERM. Either ends "
        "--watch with 0, or with 1 if the page was not written.",
    )
    parser.add_argument(
        "input", nargs="+", help="photographs, folders, patterns, or manifests (.csv)"
    )
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the results")
    parser.add_argument(
        "--strength",
        type=float,
        default=1.0,
        help="share of the change to apply, 0 to 1 (default: 1)",
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        help="restore at half the resolution (512 to 1024 px), in half the time; finer detail "
        "stays as it is",
    )
    parser.add_argument(
        "--skip-existing",
        action="store_true",
        help="skip photographs that an earlier run enhanced with the same weights and options",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="also replace results of other photographs, and files of unknown origin",
    )
    parser.add_argument(
        "--metadata",
        choices=get_args(MetadataChoice),
        default="clinical",
        help="what results keep of the photograph's metadata: clinical (colour profile, "
        "resolution, camera, dates, exposure), none (colour profile), or keep (also position, "
        "serial numbers, texts); default: %(default)s",
    )
    parser.add_argument(
        "--html",
        action="store_true",
        help="also write report.html, a page to compare before and after",
    )
    parser.add_argument(
        "--decisions",
        type=Path,
        metavar="CSV",
        help="decisions and notes saved from report.html, for the new one to show; with --html",
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="also enhance what arrives in the folder that is given, until Ctrl-C or SIGTERM; "
        "implies --skip-existing",
    )
    parser.add_argument(
        "--shard",
        type=Shard.parsed,
        default=WHOLE,
        metavar="K/N",
        help="enhance the K-th of N parts, for several processes or machines at the same time; the "
        "last to finish writes enhance.csv",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="also enhance images that do not look like fundus photographs",
    )
    add_enhancer_options(parser)
    return parser


def _require_possible(options: argparse.Namespace) -> None:
    """Raise for options that are out of range, or do not go together.

    Raises:
        UsageError: If there is one.
    """
    if not 0.0 <= options.strength <= 1.0:
        raise UsageError(f"--strength must lie in [0, 1], got {options.strength}")
    if options.decisions and not options.html:
        raise UsageError("--decisions needs --html: report.html shows them")
    if options.watch and len(options.input) > 1:
        raise UsageError(f"--watch takes one folder, got {len(options.input)} inputs")
    if options.shard != WHOLE and (options.html or options.watch):
        raise UsageError(
            "--shard takes neither --html nor --watch; for the page run once more without --shard, "
            "with --skip-existing --html, when all parts are done"
        )


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


def _tell_decisions(options: argparse.Namespace, done: Summary, given: int) -> None:
    """Print how many of the given decisions the page shows."""
    if options.decisions:
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
