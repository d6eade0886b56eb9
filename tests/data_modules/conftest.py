from pathlib import Path

import pytest
import torch
from PIL import Image

from data_modules.datasets.phantom import draw_phantom
from data_modules.files.writing import write_photograph
from tests.data_modules.tables import table
from tests.drawn import white


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photographs, one with all labels; the same two as a pair."""
    for seed, name in enumerate(("a", "b")):
        phantom = draw_phantom(seed, 64)
        write_photograph(phantom.image, tmp_path / f"{name}.png")
        write_photograph(white(phantom.field.mask), tmp_path / f"field_{name}.png")
    phantom = draw_phantom(0, 64)
    write_photograph(white(phantom.disc), tmp_path / "disc.png")
    bits = torch.zeros(64, 64, dtype=torch.uint8)
    bits[30:34, 30:34] = 1 + 8
    bits[40:42, 20:22] = 4
    Image.fromarray(bits.numpy()).save(tmp_path / "lesions.png")
    table(
        tmp_path / "index.csv", ("image", "fov_mask", "split"),
        ("a.png", "field_a.png", "val"), ("b.png", "field_b.png", "val"),
    )  # fmt: skip
    table(
        tmp_path / "labels.csv", ("image", "disc_mask", "lesion_bitmask", "dr_grade", "patient"),
        ("a.png", "disc.png", "lesions.png", "3", "Ada"), ("c.png", "", "", "", "nobody"),
    )  # fmt: skip
    table(
        tmp_path / "pairs.csv", ("pair_id", "patient", "low", "high_aligned", "valid_mask"),
        ("p1", "Ada", "a.png", "b.png", "field_b.png"),
    )  # fmt: skip
    return tmp_path
