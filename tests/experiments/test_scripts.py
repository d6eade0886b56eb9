"""The scripts beside the experiments run as their make targets call them, only smaller."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from magenet.models import Grader
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


def test_grading_results(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = script("grading_results")
    monkeypatch.setattr(results, "PARTS", {"quality": ["val"], "dr_grade": ["val"]})
    for name, classes in (("quality", 3), ("retinopathy", 5)):
        options = {"classes": classes, "size": 48, "widths": [8, 8]}
        state = {f"network.{k}": v for k, v in Grader(**options).state_dict().items()}
        checkpoint = {
            "state_dict": state, "global_step": 7,
            "hyper_parameters": {"network": {"init_args": options}},
        }  # fmt: skip
        folder = tmp_path / f"{name}_grader/checkpoints"
        folder.mkdir(parents=True)
        torch.save(checkpoint, folder / "best.ckpt")
    arguments = ["--photographs", str(photographs), "--runs", str(tmp_path)]
    assert results.main([*arguments, "--out", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out/grading.json").read_text())
    quality = report["graders"]["quality"]
    assert quality["parts"]["val"]["photographs"] == 8
    assert set(quality["parts"]["val"]["sets"]) == {"chase_db1", "hrf", "hygd", "idrid"}
    assert quality["invariance"]["val"]["photographs"] == 8
    text = (tmp_path / "out/grading.md").read_text()
    assert "| reject |" in text
    assert "quadratic kappa" in text


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
