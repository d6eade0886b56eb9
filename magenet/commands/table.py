"""Put the scores of several tests into one table: `magenet table --csv FILE NAME=FOLDER...`."""

from __future__ import annotations

import sys
from pathlib import Path

from magenet.commands.parser import CommandParser
from magenet.errors import UsageError
from magenet.evaluation.tables import (
    SCORES,
    against_path,
    make_table,
    overview,
    put_into,
    read_table,
)


def named(runs: list[str]) -> dict[str, Path]:
    """Return the folder of each test by the name of its row.

    Args:
        runs: `NAME=FOLDER` each.

    Raises:
        UsageError: If one is not, or two have one name.
    """
    folders: dict[str, Path] = {}
    for run in runs:
        name, separator, folder = run.rpartition("=")
        if not separator:
            raise UsageError(f"'{run}' is not NAME=FOLDER")
        if name in folders:
            raise UsageError(f"two rows are called '{name}'")
        folders[name] = Path(folder)
    return folders


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status.

    Raises:
        UsageError: If options do not go together.
    """
    parser = CommandParser(
        prog="magenet table",
        description="Put the scores of several tests into one table: a CSV file, beside it what "
        "each row was made with (_runs.csv) and the comparisons (_against.csv). Without tests, "
        "print a table that was made before, or put it into Markdown files.",
    )
    parser.add_argument("runs", nargs="*", metavar="NAME=FOLDER", help="row and test folder")
    parser.add_argument("--csv", type=Path, required=True, help="the table's file")
    parser.add_argument(
        "--against", action="append", default=[], help="row that every other one is compared with"
    )
    parser.add_argument("--scores", help=f"scores to print (default: {','.join(SCORES)})")
    parser.add_argument(
        "--into", type=Path, nargs="+", default=[], help="Markdown files to put the table into"
    )
    options = parser.parse_args(arguments)
    if options.against and not options.runs:
        raise UsageError("--against compares tests: give NAME=FOLDER of each")
    if options.scores and options.into:
        raise UsageError("--scores is for printing: with --into, the page's marker names them")
    runs = named(options.runs)
    needed = ("row", "condition", "score", "mean", "low", "high")
    table = (
        make_table(options.csv, runs, options.against) if runs else read_table(options.csv, needed)
    )
    if options.against and not against_path(options.csv).is_file():
        print("magenet: no comparison: it needs two patients at least", file=sys.stderr)
    for path in options.into:
        put_into(path, options.csv.stem, table)
    if not options.into:
        print(overview(table, options.scores.split(",") if options.scores else SCORES))
    return 0
