"""CSV tables that tests write."""

import csv
from pathlib import Path


def table(path: Path, *lines: tuple[str, ...]) -> Path:
    """Write the lines, the header first, and return the path."""
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(lines)
    return path
