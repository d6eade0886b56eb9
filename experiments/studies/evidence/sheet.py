"""Sheet of real photographs as each method enhances them, beside a better photograph of the eye.

Command:  make sheet CHECKPOINT=<file>
Needs:    MAGENET_DATA, the folder of the photographs.
Hardware: CPU. Time: about 2 minutes on 2 cores.
Writes:   runs/evidence/sheet.jpg, or --out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from data_modules.batch import Batch
from experiments.configurations import photographs_folder
from experiments.studies.evidence.methods import Method, methods
from experiments.studies.evidence.pairs import pair_batches
from experiments.studies.picture_grid import picture_grid, tile
from magenet.atomic_write import atomic_write

TILE = 240
"""Side of a picture on the sheet, in pixels."""

PART = 0.4
"""Side of the central part that is shown larger below each photograph, as a share of it."""


def sheet(named: dict[str, Method], batches: Sequence[Batch]) -> Image.Image:
    """Return a picture with two lines for each photograph: the whole, and its central part.

    Args:
        named: The methods by name, one column each; the last column is the better photograph.
        batches: Pairs, each a batch of one: `image`, `image_high`, `mask_fov`.
    """
    rows = []
    for batch in tqdm(batches, "sheet"):
        mask = batch["mask_fov"]
        shown = [enhance(batch["image"], mask) for enhance in named.values()]
        whole = [*shown, batch["image_high"]]
        first = round(mask.shape[-1] * (1 - PART) / 2)
        inner = slice(first, mask.shape[-1] - first)
        rows.append([tile(image, TILE) for image in whole])
        rows.append([tile(image[..., inner, inner], TILE) for image in whole])
    return picture_grid([*named, "better photograph"], rows, gap=0)


def main(arguments: list[str] | None = None) -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, help="of an enhancement task")
    parser.add_argument("--subject", choices=("teacher", "student"), default="student")
    parser.add_argument("--weights", nargs="*", default=[], help="as magenet enhance uses them")
    parser.add_argument("--count", type=int, default=12, help="photographs, spread over all pairs")
    parser.add_argument("--out", type=Path, default=Path("runs/evidence/sheet.jpg"))
    options = parser.parse_args(arguments)
    batches = pair_batches(photographs_folder())
    count = min(options.count, len(batches))
    chosen = [batches[index * len(batches) // count] for index in range(count)]
    drawn = sheet(methods(options.checkpoint, options.subject, options.weights), chosen)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(options.out) as path:
        drawn.save(path, "JPEG", quality=85)
    print(f"{options.out}: {count} photographs")


if __name__ == "__main__":
    main()
