"""Formats of old sets are read; what is broken or too large is an error in a sentence."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_modules.files.errors import PictureError
from data_modules.files.old_formats import read_levels, read_old_photograph


@pytest.mark.parametrize("ending", [".ppm", ".ppm.gz", ".gif", ".png", ".tif", ".bmp"])
def test_levels_are_those_of_the_brightest_channel(ending: str, tmp_path: Path) -> None:
    levels = np.zeros((40, 50, 3), np.uint8)
    levels[5:9, :, 0] = 255  # red alone, as some masks are
    path = tmp_path / f"mask{ending.removesuffix('.gz')}"
    Image.fromarray(levels).save(path)
    if ending.endswith(".gz"):
        packed = tmp_path / "mask.ppm.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        path = packed
    found = read_levels(path)
    assert found.shape == (40, 50)
    assert bool((found[5:9] > 250).all())
    assert bool((found[10:] == 0).all())


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(np.eye(40, dtype=bool)).save(tmp_path / "mask.png")
    assert np.unique(read_levels(tmp_path / "mask.png")).tolist() == [0, 255]


def test_errors_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.gif").write_text("no picture")
    (tmp_path / "broken.ppm.gz").write_bytes(b"\x1f\x8bbroken")
    Image.new("RGB", (8, 8)).save(tmp_path / "small.ppm")
    for name in ("text.gif", "broken.ppm.gz", "gone.gif"):
        with pytest.raises(PictureError, match=name.replace(".", r"\.")):
            read_levels(tmp_path / name)
    with pytest.raises(PictureError, match="8x8 px"):
        read_old_photograph(tmp_path / "small.ppm")
    monkeypatch.setattr("data_modules.files.old_formats.LARGEST", 10)
    (tmp_path / "bomb.ppm.gz").write_bytes(gzip.compress(bytes(1000)))
    with pytest.raises(PictureError, match="holds more than"):
        read_levels(tmp_path / "bomb.ppm.gz")
