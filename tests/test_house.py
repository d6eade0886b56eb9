"""The house is as CONTRIBUTING.md describes it, and as the import linter enforces it."""

import re
import tomllib
from pathlib import Path

from tests.conftest import ROOT

ROWS = re.findall(r"^\| (`[^|]+`) \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
ROOMS = [re.findall(r"`([\w.]+)`", row) for row in ROWS]
OLD = {"magenet.scoring", "magenet.report", "magenet.inference"}
"""Names of 0.1 that lead to the new rooms."""


def layers() -> list[list[str]]:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    contract = next(c for c in linter["contracts"] if c["type"] == "layers")
    return [layer.split(" | ") for layer in contract["layers"]]


def test_the_table_is_what_the_linter_enforces() -> None:
    assert layers() == ROOMS


def test_every_room_is_in_the_table() -> None:
    def is_room(path: Path) -> bool:
        return path.suffix == ".py" or (path / "__init__.py").is_file()

    found = {f"magenet.{p.stem}" for p in (ROOT / "magenet").iterdir() if is_room(p)}
    named = {room for row in ROOMS for room in row if room.startswith("magenet.")}
    assert found - {"magenet.__init__"} - OLD == named
