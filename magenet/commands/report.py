"""Show a training and its tests on one page: `magenet report RUN`."""

from __future__ import annotations

from pathlib import Path

from magenet.commands.parser import CommandParser
from magenet.run_report.page import write_report


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status.

    Raises:
        UserError: If no run has written to the folder, or the page cannot be written.
    """
    parser = CommandParser(
        prog="magenet report",
        description="Show a training and the tests of its networks on one page: curves, scores per "
        "type of degradation, sheets of photographs, what differs from base.yaml, environment. The "
        "page is one file; it holds reduced photographs.",
        epilog="For example: magenet report runs/latest",
    )
    parser.add_argument(
        "run", nargs="?", type=Path, default=Path("runs/latest"),
        help="folder of a training or of one of its tests (default: the latest training)",
    )  # fmt: skip
    parser.add_argument("-o", "--out", type=Path, help="file (default: report.html in the folder)")
    options = parser.parse_args(arguments)
    path = options.out or options.run / "report.html"
    write_report(options.run, path)
    print(path)
    return 0
