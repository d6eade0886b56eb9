"""Enhance photographs with the weights in the package: `magenet enhance INPUT... -o OUT`."""

from __future__ import annotations

import argparse
from pathlib import Path

from magenet.commands.parser import CommandParser, add_enhancer_options
from magenet.enhancement.folder.shard import WHOLE, Shard
from magenet.errors import UsageError

METADATA = ("keep", "clinical", "none")
"""Values of :data:`data_modules.files.writing.MetadataChoice`, whose module loads torch."""


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status.

    Raises:
        UserError: If an option is out of range, or for what concerns all photographs.
    """
    options = _parser().parse_args(arguments)
    _require_possible(options)
    # It loads torch, which takes a second: neither for --help nor before a mistake is told.
    from magenet.commands.enhance_run import run

    return run(options)


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
        choices=METADATA,
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
