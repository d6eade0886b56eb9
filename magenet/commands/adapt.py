"""Fine-tune the released network on a camera's own photographs: `magenet adapt PHOTOS -o OUT`."""

from __future__ import annotations

import argparse
from pathlib import Path

from magenet.adaptation import adapt


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status."""
    own = argparse.ArgumentParser(
        prog="magenet adapt",
        description="Fine-tune the network on photographs of your camera, without labels, by the "
        "teacher-student recipe. Half of them is held out, to choose and to judge; weights are "
        "written only if they are better there. verdict.json says how much.",
    )
    own.add_argument(
        "input", nargs="+", help="photographs, folders, patterns, or a manifest (.csv)"
    )
    own.add_argument("-o", "--out", type=Path, required=True, help="folder of the new weights")
    own.add_argument(
        "--weights",
        default="mage_net",
        help="what to start from (default: %(default)s)",
    )
    own.add_argument("--steps", type=int, default=400, help="at most (default: %(default)s)")
    own.add_argument("--seed", type=int, default=0)
    own.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    options = own.parse_args(arguments)
    adapt(options.input, options.out, options.weights, options.steps, options.seed, options.device)
    return 0
