from pathlib import Path

import pytest

from experiments import configurations
from magenet.errors import UserError


def test_the_folder_of_the_photographs_must_be_named_and_hold_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAGENET_DATA", raising=False)
    with pytest.raises(UserError, match="export MAGENET_DATA="):
        configurations.photographs_folder()
    monkeypatch.setenv("MAGENET_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"index\.csv: no such file; set MAGENET_DATA"):
        configurations.photographs_folder()
    (tmp_path / "index.csv").write_text("image\n")
    assert configurations.photographs_folder() == tmp_path


@pytest.mark.usefixtures("workplace")
def test_the_recipe_of_the_comparison_is_the_protocol_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = configurations.PROTOCOL.read_text()
    assert configurations.comparison_recipe().share == 0.33
    monkeypatch.setattr(configurations, "PROTOCOL", tmp_path / "other.yaml")
    configurations.PROTOCOL.write_text(text.replace("share: 0.33", "share: 0.5"))
    assert configurations.comparison_recipe().share == 0.5
