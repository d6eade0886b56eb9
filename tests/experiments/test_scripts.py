"""The scripts beside the experiments run as their make targets call them, only smaller."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from magenet.errors import UserError
from magenet.metrics import NaturalnessModel
from magenet.models import MAGENet
from magenet.report.provenance import FACTS
from tests.conftest import ROOT
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
    results = script("grading/results")
    monkeypatch.setattr(results, "PARTS", {"quality": ["val"], "dr_grade": ["val"]})
    out = str(tmp_path / "out")
    assert results.main(["--photographs", str(photographs), "--out", out]) == 0
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


def test_results_of_the_judges(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAGENET_DATA", str(photographs))
    monkeypatch.chdir(tmp_path)
    results = script("judges/results")
    with pytest.raises(UserError, match="make judges"):
        results.main(["--weights", "none", "--out", "out"])
    publish = script("weights/publish")
    for name in ("vessels", "disc"):
        network, _ = results.built(results.HERE / f"{name}.yaml")
        checkpoint = tmp_path / "runs" / publish.SOURCES[name]
        checkpoint.parent.mkdir(parents=True)
        weights = {f"network.{key}": value for key, value in network.state_dict().items()}
        content = {"state_dict": weights | {"loss.weight": torch.ones(1)}, "global_step": 7}
        torch.save(content | {"optimizer_states": [torch.ones(9)]}, checkpoint)
    assert publish.main(["--runs", "runs", "--out", ".", "vessels", "disc"]) == 0
    kept = torch.load("vessels.ckpt", weights_only=True)
    assert kept.keys() == {"state_dict", "global_step"}
    assert all(name.startswith("network.") for name in kept["state_dict"])
    assert publish.main(["--runs", "nowhere", "--out", ".", "disc"]) == 1
    assert results.main(["--weights", ".", "--out", "out"]) == 0
    tables = json.loads(Path("out/judges.json").read_text())
    assert {label.split(",")[0] for label in tables} == {"vessels", "disc"}
    assert "| vessels, both sets, 512 px | 4 |" in Path("out/judges.md").read_text()


def test_a_table_tests_its_rows_once(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setenv("MAGENET_DATA", str(photographs))
    monkeypatch.chdir(tmp_path)
    Path("experiments").symlink_to(ROOT / "experiments")  # labels are named from the project
    table = script("tables/table")
    monkeypatch.setattr(table, "CLASSICAL", {"clahe": "CLAHE"})
    command = ["synthetic", "--results", "results", "--limit", "2"]
    assert table.main(command) == 0
    assert "not trained, left out: T-S MAGE-Net" in capfd.readouterr().err
    written = (tmp_path / "results/synthetic.csv").read_text().splitlines()
    rows = {row["row"] for row in csv.DictReader(written)}
    assert rows == {"do nothing", "CLAHE", "MAGE-Net, released", "clean"}
    scores = tmp_path / "results/rows/synthetic/clahe/scores.csv"
    before = scores.stat().st_mtime
    shutil.rmtree("runs")
    assert table.main(command) == 0
    assert scores.stat().st_mtime == before, "not tested again"
    made = json.loads((scores.parent / "provenance.json").read_text())
    (scores.parent / "provenance.json").write_text(json.dumps(made | {"protocol_sha256": "old"}))
    assert table.main(command) == 0
    assert scores.stat().st_mtime > before, "by other judges: tested again"
    released = json.loads((scores.parents[1] / "released/provenance.json").read_text())
    assert made["config"] == "experiments/peers/clahe.yaml experiments/tables/synthetic.yaml"
    assert made["milliseconds"] > 0 < made["peak_memory_mb"]
    assert (made["gmacs"], made["parameters"], made["seed"]) == ("none", 0, "0")
    assert released["gmacs"] > 0 < released["parameters"]
    assert "CPU cores" in made["hardware"]
    assert set(made) >= set(FACTS)
    against = list(csv.DictReader(Path("results/synthetic_against.csv").read_text().splitlines()))
    assert {(row["row"], row["against"]) for row in against} == {("CLAHE", "MAGE-Net, released")}
    with pytest.raises(SystemExit):
        table.main(["synthetic", "--limit", "2"])
    assert "is for a try" in capfd.readouterr().err
    shutil.copytree(scores.parent, scores.parents[1] / "mage_net_seed3")
    assert table.main(command) == 0
    lines = (tmp_path / "results/synthetic.csv").read_text().splitlines()
    assert "MAGE-Net" in {row["row"] for row in csv.DictReader(lines)}, "tested elsewhere"


def test_costs_are_measured_row_by_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    costs = script("tables/costs")
    assert all((ROOT / "experiments" / config).is_file() for config in costs.ROWS.values())
    some = {row: costs.ROWS[row] for row in ("Setiawan", "U-Net")}
    monkeypatch.setattr(costs, "ROWS", some)
    assert costs.main(["--size", "64", "--out", str(tmp_path)]) == 0
    classical, network = csv.DictReader((tmp_path / "costs.csv").read_text().splitlines())
    assert (classical["parameters"], classical["gmacs"]) == ("0", "none")
    assert int(network["parameters"]) > 1e6
    assert float(network["gmacs"]) == pytest.approx(7.69 / 16, rel=0.01), "a sixteenth of 256 px"
    assert min(float(row["milliseconds"]) for row in (classical, network)) > 0
    assert "| U-Net |" in (tmp_path / "costs.md").read_text()


def test_variants_of_the_teacher(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is trained and tested once; two are enough to see that they are put side by side."""
    monkeypatch.setenv("MAGENET_DATA", str(photographs))
    monkeypatch.chdir(tmp_path)
    Path("experiments").symlink_to(ROOT / "experiments")
    variants = script("teacher/variants")
    monkeypatch.setattr(variants, "VARIANTS", dict(list(variants.VARIANTS.items())[:2]))
    layer = """
trainer: {max_steps: 2, val_check_interval: 2, limit_test_batches: 2, limit_val_batches: 2}
model:
  init_args:
    start: null
    network: {init_args: {widths: [16, 16, 32, 32], blocks: [1, 1, 1, 1]}}
data: {init_args: {image_size: 64, batch_size: 2, workers: 0}}
"""
    Path("try.yaml").write_text(layer)
    command = ["--results", ".", "--layer", "try.yaml"]
    assert variants.main(command) == 0
    page = Path("teacher.md").read_text()
    assert "| no consistency, teacher |" in page
    assert "| as in the tables, student |" in page
    checkpoint = Path("runs/teacher/variant1/checkpoints/best.ckpt")
    before = checkpoint.stat().st_mtime
    assert variants.main(command) == 0
    assert checkpoint.stat().st_mtime == before, "not trained again"
    configs = [Path(f"runs/teacher/variant{n}/config.yaml").read_text() for n in (0, 1)]
    assert "consistency_weight: 0.0" in configs[0]
    assert "consistency_weight: 0.2" in configs[1]


def test_what_a_consistency_step_is_worth(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A target that is the truth gives the wanted gradient."""
    monkeypatch.setenv("MAGENET_DATA", str(photographs))
    monkeypatch.chdir(tmp_path)
    errors = script("teacher/errors")
    network = MAGENet(
        [32, 64, 64, 96], [1, 2, 1, 1], original_width=32, original_groups=2, original_blocks=2,
        guide_width=16,
    )  # fmt: skip
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": weights}, "network.ckpt")
    small = ["--checkpoint", "network.ckpt", "--size", "64", "--batch", "2", "--results", "."]
    monkeypatch.setattr(errors, "StrongView", lambda: lambda image, mask, draws: image)
    errors.main(small)
    lines = Path("teacher_errors.md").read_text().splitlines()
    true = next(line for line in lines if line.startswith("| the same views"))
    assert true.endswith("| 1.00 [1.00, 1.00] |"), "the same views, untouched"


def test_naturalness_is_fitted_on_good_photographs(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAGENET_DATA", str(photographs))
    fit = script("judges/naturalness")
    arguments = ["--runs", str(tmp_path), "--size", "512", "--patch", "8"]
    assert fit.main(arguments) == 0
    assert NaturalnessModel.load(tmp_path / "naturalness.pt").patch == 8
