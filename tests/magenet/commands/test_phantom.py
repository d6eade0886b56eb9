from pathlib import Path

import pytest
import torch

from data_modules.datasets.phantom import draw_phantom
from data_modules.files.reading import read_photograph
from magenet.main import main


def test_the_phantoms_of_given_seeds_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--count", "2", "--size", "64", "--seed", "3", "--camera", "handheld"]
    assert main(["phantom", str(tmp_path / "out"), *arguments]) == 0
    assert capsys.readouterr().out == f"2 phantoms in {tmp_path / 'out'}\n"
    assert main(["phantom", str(tmp_path / "one"), "--count", "1", "--size", "64"]) == 0
    assert capsys.readouterr().out == f"1 phantom in {tmp_path / 'one'}\n"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "phantom_0003.png", "phantom_0004.png",
    }  # fmt: skip
    written = read_photograph(tmp_path / "out/phantom_0004.png")
    assert torch.equal(written, draw_phantom(4, 64, camera="handheld").image)


@pytest.mark.parametrize(
    "option", [["--count", "-3"], ["--size", "8"], ["--size", "99999999"], ["--seed", "-1"]]
)
def test_what_cannot_be_drawn_is_a_usage_error(
    option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["phantom", str(tmp_path / "out"), *option]) == 2
    assert "--count must be at least 1" in capsys.readouterr().err
