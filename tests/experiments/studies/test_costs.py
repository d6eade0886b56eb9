import csv
from pathlib import Path

import pytest

from experiments.configurations import CONFIGS
from experiments.studies import costs

pytestmark = pytest.mark.usefixtures("workplace")


@pytest.mark.slow
def test_costs_are_measured_row_by_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured = [row for row in costs.ROWS.values() if row.endswith(".yaml")]
    assert all((CONFIGS / config).is_file() for config in configured)
    some = {row: costs.ROWS[row] for row in ("Setiawan", "U-Net")}
    monkeypatch.setattr(costs, "ROWS", some)
    parent = b"x" * 2**29  # the memory of this process does not hide what a row takes
    assert costs.main(["--size", "64", "--out", str(tmp_path)]) == 0
    classical, network = csv.DictReader((tmp_path / "costs.csv").read_text().splitlines())
    assert (classical["parameters"], classical["gmacs"]) == ("0", "none")
    assert int(network["parameters"]) > 1e6
    assert float(network["gmacs"]) == pytest.approx(7.69 / 16, rel=0.01), "a sixteenth of 256 px"
    assert min(float(row["milliseconds"]) for row in (classical, network)) > 0
    assert len(parent) > 2**20 * int(network["memory_mb"]) > 0
    assert "| U-Net |" in (tmp_path / "costs.md").read_text()
