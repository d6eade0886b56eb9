import json
from pathlib import Path

import pytest

from experiments.studies import degradation_calibration as calibration

pytestmark = pytest.mark.usefixtures("workplace")


def test_every_statistic_is_compared_and_reported(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "SIZE", 64)
    monkeypatch.setattr(calibration, "PUBLISHED", {64: calibration.PUBLISHED[512]})
    arguments = ["--photographs", str(photographs / "index.csv"), "--out", str(tmp_path / "out")]
    assert calibration.main(arguments) == 0
    report = json.loads((tmp_path / "out/calibration.json").read_text())
    assert len(report["do_nothing"]) == 7
    assert len(report["distances_val"]) == len(report["distances_train"]) == 12
    text = (tmp_path / "out/calibration.md").read_text()
    assert "| brightness |" in text
