"""A photograph's file that another replaces while it is enhanced."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from data_modules.files.writing import write_photograph
from magenet.enhancement.folder import results
from tests.magenet.commands.enhancing import enhance, rows
from tests.magenet.conftest import retina


@pytest.mark.parametrize("moment", ["enhance_photograph", "write_photograph"])
def test_pixels_of_one_patient_never_get_the_metadata_of_another(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """As where a camera exports each photograph under one name, `current.jpg`."""
    current, other = tmp_path / "in/current.png", tmp_path / "other.png"
    write_photograph(retina(0), current)
    write_photograph(retina(1), other)
    own = getattr(results, moment)

    def replaced_meanwhile(*given: Any) -> Any:
        shutil.copyfile(other, current)
        return own(*given)

    with monkeypatch.context() as patch:
        patch.setattr(results, moment, replaced_meanwhile)
        assert enhance(current, "-o", tmp_path / "out", "--weights", weights) == 1
    assert not (tmp_path / "out/current.png").exists()
    row = rows(tmp_path / "out")["current.png"]
    assert (row["status"], row["reason"]) == (
        "failed", "current.png: changed while it was enhanced; try again"
    )  # fmt: skip
    assert enhance(current, "-o", tmp_path / "out", "--weights", weights) == 0
