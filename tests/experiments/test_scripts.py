"""The scripts beside the experiments run as their make targets call them, only smaller."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.experiments.conftest import script


def test_benchmark_of_degradation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "speed.json"
    arguments = ["--json", str(out), "--sizes", "48", "64", "--batches", "1", "8"]
    arguments += ["--steps", "1", "--step-size", "48", "--no-compile"]
    benchmark = script("benchmarks/degradation")
    monkeypatch.setattr(benchmark, "BUDGET", 0.0)
    assert benchmark.main(arguments) == 0
    result = json.loads(out.read_text())
    measured = {(row["what"], row["size"], row["batch"]) for row in result["rates"]}
    assert ("cofe, seven types", 64, 1) in measured
    assert sum(what.startswith("fundus, ") for what, size, _ in measured if size == 48) == 2 * (
        1 + 15
    )
    assert all(0 < row["share_percent"] < 100 for row in result["training_step"])
    assert set(result["cost_growth_over_pixel_growth"]) == {
        f"{what}, batch {batch}"
        for what in ("cofe, seven types", "fundus, mixed")
        for batch in (1, 8)
    }


def test_contact_sheet(tmp_path: Path) -> None:
    sheet = script("contact_sheet")
    assert sheet.main(["--out", str(tmp_path / "sheet.jpg")]) == 0
    with Image.open(tmp_path / "sheet.jpg") as picture:
        assert min(picture.size) > 1000


def test_calibration(tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calibration = script("calibration")
    monkeypatch.setattr(calibration, "SIZE", 64)
    monkeypatch.setattr(calibration, "PUBLISHED", {64: calibration.PUBLISHED[512]})
    arguments = ["--photographs", str(photographs / "index.csv"), "--out", str(tmp_path / "out")]
    assert calibration.main(arguments) == 0
    report = json.loads((tmp_path / "out/calibration.json").read_text())
    assert len(report["do_nothing"]) == 7
    assert len(report["distances_val"]) == len(report["distances_train"]) == 12
    text = (tmp_path / "out/calibration.md").read_text()
    assert "| brightness |" in text
