import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from experiments.studies import tables as table
from magenet.evaluation.tables import FACTS
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("workplace")


@pytest.mark.slow
def test_a_table_tests_its_rows_once(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    Path("experiments").symlink_to(
        ROOT / "experiments"
    )  # configurations name labels by paths from the root
    monkeypatch.setattr(table, "CLASSICAL", {"CLAHE": ("CLAHE", "clahe")})
    command = ["synthetic", "--results", "results", "--limit", "2"]
    assert table.main(command) == 0
    assert "not trained, left out: T-S MAGE-Net" in capfd.readouterr().err
    written = (tmp_path / "results/synthetic.csv").read_text().splitlines()
    rows = {row["row"] for row in csv.DictReader(written)}
    assert rows == {
        "do nothing", "CLAHE", "MAGE-Net, release 0.1", "MAGE-Net, released", "clean",
    }  # fmt: skip
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
    assert made["config"] == (
        "experiments/configs/runs/classical.yaml --model.network magenet.models.peers.CLAHE "
        "experiments/configs/tests/synthetic.yaml"
    )
    assert made["milliseconds"] > 0 < made["peak_memory_mb"]
    assert (made["gmacs"], made["parameters"], made["seed"]) == ("none", 0, "0")
    assert released["gmacs"] > 0 < released["parameters"]
    assert "CPU cores" in made["hardware"]
    assert set(made) >= set(FACTS)
    against = list(csv.DictReader(Path("results/synthetic_against.csv").read_text().splitlines()))
    assert {(row["row"], row["against"]) for row in against} == {
        (row, other)
        for row in rows - {"do nothing", "clean"}
        for other in rows
        if other.startswith("MAGE-Net") and row != other
    }
    with pytest.raises(SystemExit):
        table.main(["synthetic", "--limit", "2"])
    assert "is for a try" in capfd.readouterr().err
    shutil.copytree(scores.parent, scores.parents[1] / "mage_net_seed3")
    assert table.main(command) == 0
    lines = (tmp_path / "results/synthetic.csv").read_text().splitlines()
    assert "MAGE-Net" in {row["row"] for row in csv.DictReader(lines)}, "tested elsewhere"
    elsewhere = scores.parents[1] / "mage_net_seed3/provenance.json"
    elsewhere.write_text(json.dumps(made | {"protocol_sha256": "old"}))
    assert table.main([*command, "--only", "clahe"]) == 0
    assert "not tested by this test, left out: MAGE-Net\n" in capfd.readouterr().err
    lines = (tmp_path / "results/synthetic.csv").read_text().splitlines()
    assert "MAGE-Net" not in {row["row"] for row in csv.DictReader(lines)}


def test_a_row_is_current_only_with_scores_of_the_same_dependencies(tmp_path: Path) -> None:
    facts = {"config": "a", "checkpoint_sha256": "b"}
    assert not table.is_current(tmp_path, facts)
    (tmp_path / "scores.csv").write_text("name\n")  # a test that was stopped before its provenance
    assert not table.is_current(tmp_path, facts)
    (tmp_path / "provenance.json").write_text(json.dumps(facts | {"seed": 0}))
    assert table.is_current(tmp_path, facts)
    assert not table.is_current(tmp_path, facts | {"config": "other"})
    (tmp_path / "scores.csv").unlink()
    assert not table.is_current(tmp_path, facts)
