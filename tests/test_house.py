"""The packages are as CONTRIBUTING.md lists them, and as the import linter enforces them."""

import re
import tomllib
from pathlib import Path

from tests.conftest import ROOT

ROWS = re.findall(r"^\| (`[^|]+`) \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
PACKAGES = [re.findall(r"`([\w.]+)`", row) for row in ROWS]
OLD = {"magenet.scoring", "magenet.report", "magenet.inference"}
"""Names of 0.1 that lead to the new packages."""


def layers() -> list[list[str]]:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    contract = next(c for c in linter["contracts"] if c["type"] == "layers")
    return [layer.split(" | ") for layer in contract["layers"]]


def test_the_table_is_what_the_linter_enforces() -> None:
    assert layers() == PACKAGES


def test_every_package_is_in_the_table() -> None:
    def is_package(path: Path) -> bool:
        return path.suffix == ".py" or (path / "__init__.py").is_file()

    found = {f"magenet.{p.stem}" for p in (ROOT / "magenet").iterdir() if is_package(p)}
    named = {name for row in PACKAGES for name in row if name.startswith("magenet.")}
    assert found - {"magenet.__init__"} - OLD == named


def test_no_python_file_is_longer_than_400_lines() -> None:
    folders = ("magenet", "data_modules", "experiments", "tests")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    long = {file: n for file in files if (n := len(file.read_text().splitlines())) > 400}
    assert len(files) > 300
    assert not long, "split it, so that each part has a name that says what is in it"
