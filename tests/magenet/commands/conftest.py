"""What lies in folders of photographs."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from data_modules.files.writing import write_photograph
from tests.magenet.conftest import retina


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of photographs and of what else lies in such folders."""
    photographs = tmp_path / "in"
    for name, seed in (("a.png", 0), ("sub/b.jpg", 1), ("c.tif", 2)):
        write_photograph(retina(seed), photographs / name)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (3, 150, 150), dtype=torch.uint8, generator=generator)
    write_photograph(noise, photographs / "noise.png")
    (photographs / "text.jpg").write_text("not a picture")
    (photographs / "empty.png").touch()
    Image.new("RGB", (8, 8)).save(photographs / "small.png")
    (photographs / "notes.txt").write_text("not asked for")
    return photographs
