"""Draw synthetic retinas (phantoms): `magenet phantom OUT`."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from data_modules.datasets.phantom import Camera, draw_phantom
from data_modules.files.writing import write_photograph
from magenet.commands.parser import CommandParser
from magenet.errors import UsageError

LARGEST = 8192
"""Largest side of a phantom, in pixels (our choice)."""


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status.

    Raises:
        UserError: If an option is out of range, or a file cannot be written.
    """
    parser = CommandParser(
        prog="magenet phantom",
        description="Draw synthetic retinas (phantoms) and write them as PNG files, to try the "
        "other commands without any data.",
    )
    parser.add_argument("folder", metavar="OUT", type=Path, help="folder; created if missing")
    parser.add_argument("--count", type=int, default=6, help="how many (default: %(default)s)")
    parser.add_argument("--size", type=int, default=512, help="side in pixels (default: 512)")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the first phantom (default: 0)"
    )
    parser.add_argument(
        "--camera",
        choices=get_args(Camera),
        default="clinic",
        help="camera to imitate (default: clinic)",
    )
    options = parser.parse_args(arguments)
    if options.count < 1 or not 32 <= options.size <= LARGEST or options.seed < 0:
        raise UsageError(
            f"--count must be at least 1, --size lie between 32 and {LARGEST}, --seed be at least 0"
        )
    for seed in range(options.seed, options.seed + options.count):
        phantom = draw_phantom(seed, options.size, camera=options.camera)
        write_photograph(phantom.image, options.folder / f"phantom_{seed:04d}.png")
    phantoms = "phantom" if options.count == 1 else "phantoms"
    print(f"{options.count} {phantoms} in {options.folder}")
    return 0
