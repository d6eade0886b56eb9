"""Write photographs into tar shards for streamed training: `magenet shards IN OUT`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from data_modules.datasets.manifest import Manifest
from data_modules.datasets.photographs import PhotographSource
from data_modules.datasets.shards import INDEX, write_shards
from data_modules.datasets.sources import FolderPhotographs, ManifestPhotographs
from magenet.commands.parser import CommandParser
from magenet.errors import UsageError, printable


def source(options: argparse.Namespace) -> PhotographSource:
    """Return the photographs that the command line names.

    Raises:
        UsageError: If an option needs a manifest and a folder is given.
    """
    path = str(options.photographs)
    if options.photographs.suffix.lower() == ".csv":
        return ManifestPhotographs(
            path,
            sets=options.sets,
            qualities=options.qualities,
            test_split=options.test_split or _test_split(path, options.sets),
            only_with="vessel_mask" if options.vessels_only else None,
            val_share=options.val_share,
        )
    if options.sets or options.qualities or options.vessels_only or options.test_split:
        raise UsageError(
            f"{path}: --sets, --qualities, --vessels-only and --test-split need a CSV manifest"
        )
    return FolderPhotographs(path, options.val_share)


def _test_split(path: str, sets: list[str] | None) -> str:
    """Return `test` if photographs of a manifest's sets have this split, else `val`."""
    photographs = Manifest.from_csv(path).select(sets=sets)
    return "test" if any(p.split == "test" for p in photographs) else "val"


def run(options: argparse.Namespace) -> int:
    """Write the shards; a photograph that cannot be decoded is named and left out.

    Returns:
        Exit status: 1 if any was left out, else 0.

    Raises:
        UserError: If an option is out of range, or nothing can be written at all.
    """
    if options.image_size < 32 or options.shard_size < 1 or options.workers < 0:
        raise UsageError("--image-size must be at least 32, --shard-size 1, --workers 0")
    if not 0.0 <= options.val_share <= 1.0:
        raise UsageError(f"--val-share must lie in [0, 1], got {options.val_share}")
    faults = write_shards(
        source(options), options.folder, options.image_size, options.shard_size, options.workers
    )
    for fault in faults:
        print(f"magenet: left out: {printable(str(fault))}", file=sys.stderr)
    print(f"shards and {INDEX} in {options.folder}")
    return 1 if faults else 0


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status."""
    parser = CommandParser(
        prog="magenet shards",
        description=(
            "Cut photographs to their field of view, resize them once, and write them into tar "
            "files for data_modules.StreamedPhotographs: shards of training, validation and test, "
            f"and {INDEX}, written last."
        ),
    )
    parser.add_argument("photographs", metavar="IN", type=Path, help="folder or CSV manifest")
    parser.add_argument("folder", metavar="OUT", type=Path, help="folder for the shards")
    parser.add_argument(
        "--image-size",
        type=int,
        default=256,
        help="side of the photographs in pixels (default: 256)",
    )
    parser.add_argument(
        "--shard-size", type=int, default=256, help="most photographs per shard (default: 256)"
    )
    parser.add_argument("--sets", nargs="+", help="data sets of the manifest (default: all)")
    parser.add_argument("--qualities", nargs="+", help="qualities of the manifest (default: all)")
    parser.add_argument(
        "--vessels-only", action="store_true", help="only photographs with a vessel mask"
    )
    parser.add_argument(
        "--test-split",
        help="split that becomes the test part (default: test if the manifest has it, else val)",
    )
    parser.add_argument(
        "--val-share", type=float, default=0.2,
        help="share held out for validation if there is no column 'split' (default: 0.2)",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=1, help="processes that decode (default: 1)")
    return run(parser.parse_args(arguments))
