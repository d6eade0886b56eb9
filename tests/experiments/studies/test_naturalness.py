from pathlib import Path

import pytest

from experiments.studies import naturalness as fit
from magenet.metrics import NaturalnessModel

pytestmark = pytest.mark.usefixtures("workplace")


def test_naturalness_is_fitted_on_good_photographs(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--runs", str(tmp_path), "--size", "512", "--patch", "8"]
    assert fit.main(arguments) == 0
    assert NaturalnessModel.load(tmp_path / "naturalness.pt").patch == 8
