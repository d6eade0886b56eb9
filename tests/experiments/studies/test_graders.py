import json
from pathlib import Path

import pytest

from experiments.studies import graders as results

pytestmark = pytest.mark.usefixtures("workplace")


def test_graders_are_scored_on_every_photograph_and_reported(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
