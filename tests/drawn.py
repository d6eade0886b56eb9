"""Drawn photographs and their masks on disk."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from data_modules.datasets.phantom import draw_phantom
from data_modules.files.writing import write_photograph


def white(mask: Tensor) -> Tensor:
    """Return a mask, bool `(1, H, W)`, as a picture, uint8 `(3, H, W)`: white on black."""
    return mask.expand(3, -1, -1).to(torch.uint8) * 255


def drawn_folder(folder: Path, count: int = 5) -> Path:
    """Write photographs `eye_0.png` and so on, 80 px wide, and return the folder."""
    for seed in range(count):
        write_photograph(draw_phantom(seed, 80).image, folder / f"eye_{seed}.png")
    return folder


def drawn_manifest(folder: Path, splits: Sequence[str], size: int = 80) -> Path:
    """Write a photograph for each split and return their manifest, `index.csv`.

    Photographs are `sub.a/eye_<i>.png`, fields of view `f_<i>.png`, and vessels `v_<i>.png`, which
    only odd photographs have.
    """
    rows = ["image,split,vessel_mask,fov_mask"]
    for index, split in enumerate(splits):
        phantom = draw_phantom(index, size)
        write_photograph(phantom.image, folder / f"sub.a/eye_{index}.png")
        write_photograph(white(phantom.field.mask), folder / f"f_{index}.png")
        vessels = f"v_{index}.png" if index % 2 else ""
        if vessels:
            write_photograph(white(phantom.vessels), folder / vessels)
        rows.append(f"sub.a/eye_{index}.png,{split},{vessels},f_{index}.png")
    (folder / "index.csv").write_text("\n".join(rows) + "\n")
    return folder / "index.csv"
