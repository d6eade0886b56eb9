"""`magenet enhance` as tests call it, and the listing that it writes."""

import csv
import os
import subprocess
import sys
from pathlib import Path

from magenet.main import main

MEASURED = """
import re, sys
from pathlib import Path
from magenet.main import main
code = main()
# Not ru_maxrss: that begins with the peak of the process which started this one.
status = Path("/proc/self/status").read_text()
print("peak", int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) << 10)
sys.exit(code)
"""
"""Runs `magenet` and prints the most memory that its process held, in bytes."""


def rows(out: Path, listing: str = "enhance.csv") -> dict[str, dict[str, str]]:
    with (out / listing).open(newline="") as stream:
        return {row["name"]: row for row in csv.DictReader(stream)}


def enhance(*arguments: str | Path) -> int:
    """Run the command; the process is that of all tests, so it may have grown large."""
    given = [] if "--max-memory" in arguments else ["--max-memory", "16G"]
    return main(["enhance", *map(str, arguments), *given])


def start(
    *arguments: str | Path,
    script: str = "import sys; from magenet.main import main; sys.exit(main())",
) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", script, "enhance", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
