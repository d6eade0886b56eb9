"""Degrade photographs, with the parameters of each: `magenet degrade IN OUT`."""

from __future__ import annotations

from pathlib import Path

from magenet.commands.parser import CommandParser
from magenet.degradation import PRESETS
from magenet.degraded_folder import COFE, PARAMETERS, degrade_folder


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status."""
    parser = CommandParser(
        prog="magenet degrade",
        description=(
            "Degrade photographs inside their field of view, at their own size, and write them as "
            f"PNG with {PARAMETERS}: one line per photograph with the parameters of its "
            "degradation. These depend on the seed and the photograph's name alone."
        ),
    )
    parser.add_argument("photographs", metavar="IN", help="folder, picture or CSV manifest")
    parser.add_argument("folder", metavar="OUT", type=Path, help="folder for the results")
    parser.add_argument(
        "--preset", choices=[*PRESETS, *COFE],
        help="what to imitate: an unknown camera (mixed), a clinic's, a handheld one, a cataract, "
        "blur alone; or a variant of cofe-Net's degradation (default: mixed)",
    )  # fmt: skip
    parser.add_argument("--severity", type=float, help="scales all damage, 0 to 1 (default: 1)")
    parser.add_argument("--seed", type=int, help="seed of the random parameters (default: 0)")
    parser.add_argument(
        "--replay", type=Path, metavar="PARAMS",
        help=f"a {PARAMETERS}: repeat exactly what its line says on each photograph",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    return degrade_folder(
        options.photographs, options.folder, options.preset, options.severity, options.seed,
        options.replay,
    )  # fmt: skip
