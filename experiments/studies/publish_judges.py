"""Publish the weights of trained judges, so that all tables are scored by the same judges.

Command:  make publish-judges
Needs:    the judges' runs, trained by `make judges`.
Hardware: any.
Writes:   experiments/weights: each network alone, its weights in half precision.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import torch
from torch import Tensor

from experiments.configurations import WEIGHTS
from magenet.atomic_write import atomic_write
from magenet.errors import UserError

SOURCES = {
    "structure": "photographs_segmenter/checkpoints/best.ckpt",
    "vessels": "judge_vessels/checkpoints/best.ckpt",
    "disc": "judge_disc/checkpoints/best.ckpt",
    "quality": "quality_grader/checkpoints/best.ckpt",
    "retinopathy": "retinopathy_grader/checkpoints/best.ckpt",
}
"""Checkpoint of each judge, below the folder of the runs."""


def stripped(path: Path) -> dict[str, object]:
    """Return a checkpoint reduced to its network and the sides of the photographs it learned from.

    Raises:
        UserError: If the checkpoint is missing.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint; train it first ('make judges')")
    content = torch.load(path, map_location="cpu", weights_only=True)

    def to_half_precision(value: Tensor) -> Tensor:
        # One dimension: statistics of a normalisation, which may need the range of fp32.
        return value.half() if value.is_floating_point() and value.ndim > 1 else value

    weights = {
        name: to_half_precision(value)
        for name, value in content["state_dict"].items()
        if name.startswith("network.")
    }
    sides = {name: content[name] for name in ("image_size", "least_size") if name in content}
    return {"state_dict": weights, "global_step": content["global_step"], **sides}


def main(arguments: list[str] | None = None) -> int:
    """Publish the named judges, and the naturalness model where it was fitted."""
    parser = argparse.ArgumentParser(description="Publish the weights of trained judges.")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder to write to")
    parser.add_argument(
        "names", nargs="*", default=[*SOURCES], help="judges to publish; all by default"
    )
    options = parser.parse_args(arguments)
    try:
        for name in options.names:
            if name not in SOURCES:
                raise UserError(f"no judge is called '{name}': one of {', '.join(SOURCES)}")
            content = stripped(options.runs / SOURCES[name])
            with atomic_write(options.out / f"{name}.ckpt") as part:
                torch.save(content, part)
        naturalness = options.runs / "naturalness.pt"
        if naturalness.is_file():
            with atomic_write(options.out / naturalness.name) as part:
                shutil.copyfile(naturalness, part)
    except UserError as error:
        print(f"magenet: error: {error}", file=sys.stderr)
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
