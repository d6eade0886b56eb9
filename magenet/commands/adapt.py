"""Fine-tune the released network on a camera's own photographs: `magenet adapt PHOTOS -o OUT`."""

from __future__ import annotations

import logging
from pathlib import Path

from magenet.adaptation.run import adapt
from magenet.adaptation.time_plan import MOST_MINUTES
from magenet.commands.parser import CommandParser
from magenet.errors import UsageError
from magenet.library_warnings import silence_libraries


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status.

    Raises:
        UserError: If an option is out of range, or the photographs cannot be adapted to.
    """
    parser = CommandParser(
        prog="magenet adapt",
        description="Fine-tune the network on your camera: on degraded copies of its best "
        "photographs, as they are enhanced; no labels are needed. A third of the patients are held "
        "out to judge the result; weights are written only if they are better there. verdict.json "
        "says by how much.",
    )
    parser.add_argument(
        "input", nargs="+", help="photographs, folders, patterns, or manifests (.csv)"
    )
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the new weights")
    parser.add_argument(
        "--weights",
        default="mage_net",
        help="initial weights: name, folder or hub id (default: %(default)s)",
    )
    parser.add_argument(
        "--steps", type=int, default=800, help="most optimizer steps (default: %(default)s)"
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=30,
        help="most minutes that all of it may take (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: %(default)s)")
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.steps < 1 or not 0 <= options.seed < 1 << 32:
        raise UsageError("--steps must be at least 1 and --seed lie between 0 and 2^32 - 1")
    if not 0 < options.minutes <= MOST_MINUTES:
        raise UsageError(f"--minutes must be above 0 and at most {MOST_MINUTES}")
    silence_libraries()
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # what devices it found
    adapt(
        options.input, options.out, options.weights, options.steps, options.minutes, options.seed,
        options.device,
    )  # fmt: skip
    return 0
