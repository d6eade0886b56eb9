"""Fit the naturalness model, in the manner of NIQE, on good photographs.

Command:  make naturalness
Needs:    MAGENET_DATA=<folder of the photographs>.
Hardware: CPU.
Writes:   runs/naturalness.pt, which `make publish-judges` copies to experiments/weights.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from data_modules import ManifestPhotographs
from data_modules.base import to_unit
from experiments.configurations import photographs_folder
from magenet.metrics import NaturalnessModel

SIZE = 512
"""Side of the photographs, in pixels: as in the tables that use the model."""


def main(arguments: list[str] | None = None) -> int:
    """Fit the model on the good photographs of the train part and save it."""
    parser = argparse.ArgumentParser(description="Fit the naturalness model.")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument("--size", type=int, default=SIZE, help="side of the photographs, in pixels")
    options = parser.parse_args(arguments)
    source = ManifestPhotographs(
        str(photographs_folder() / "index.csv"),
        sets=["hrf", "chase_db1", "idrid"],
        qualities=["good"],
    )
    dataset = source.dataset("train", options.size)

    samples = [dataset.load(index) for index in tqdm(range(len(dataset)), unit="photograph")]
    images = (to_unit(sample["image"]) * sample["mask_fov"] for sample in samples)
    masks = (to_unit(sample["mask_fov"]) for sample in samples)
    model = NaturalnessModel.fit(images, masks)
    path = options.runs / "naturalness.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path)
    print(f"{path}: fitted on {len(dataset)} photographs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
