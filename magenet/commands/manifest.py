"""Make a manifest of any folder of photographs: `magenet manifest FOLDER`."""

from __future__ import annotations

from pathlib import Path

from data_modules.public.folder import folder_set
from data_modules.public.preparation import prepare
from magenet.commands.parser import CommandParser
from magenet.commands.prepare import report
from magenet.errors import UsageError


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status: 1 if any photograph cannot be used, else 0.

    Raises:
        UserError: If the folder cannot be prepared.
    """
    parser = CommandParser(
        prog="magenet manifest",
        description="Make a manifest of a folder of photographs: index.csv with splits, hashes, "
        "near-duplicates and fields of view. Sub-folders called train, val, test, good, usable, "
        "reject, fov, vessels, disc or cup tell splits, qualities and masks. Photographs are "
        "linked, not copied; FOLDER is only read.",
    )
    parser.add_argument("source", metavar="FOLDER", type=Path, help="folder of photographs")
    parser.add_argument(
        "-o", "--out", type=Path,
        help="folder to prepare, a new one (default: FOLDER_manifest, beside it)",
    )  # fmt: skip
    parser.add_argument(
        "--patient", metavar="REGEX",
        help="expression whose first group is the patient in a photograph's path below FOLDER, "
        "such as '([0-9]+)_'; all photographs of a patient stay on one side (default: each "
        "photograph is of another patient)",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=1, help="processes that decode (default: 1)")
    options = parser.parse_args(arguments)
    if options.workers < 0:
        raise UsageError("--workers must be at least 0")
    source = options.source
    folder = options.out or source.resolve().with_name(f"{source.resolve().name}_manifest")
    return report(
        prepare(folder_set(source, options.patient), source, folder, workers=options.workers)
    )
