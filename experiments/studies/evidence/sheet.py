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

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from data_modules.batch import Batch
from experiments.configurations import photographs_folder
from experiments.studies.evidence.methods import Method, methods
from experiments.studies.evidence.pairs import pair_batches
from magenet.atomic_write import atomic_write

TILE = 240
"""Side of a picture on the sheet, in pixels."""

PART = 0.4
"""Side of the central part that is shown larger below each photograph, as a share of it."""

HEADER = 22
"""Height of the line of names, in pixels."""


def sheet(named: dict[str, Method], batches: Sequence[Batch]) -> Image.Image:
    """Return a picture with two lines for each photograph: the whole, and its central part.

    Args:
        named: The methods by name, one column each; the last column is the better photograph.
        batches: Pairs, each a batch of one: `image`, `image_high`, `mask_fov`.
    """
    columns = [*named, "better photograph"]
    canvas = Image.new("RGB", (TILE * len(columns), HEADER + 2 * TILE * len(batches)), "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(13)
    for column, name in enumerate(columns):
        pen.text((column * TILE + 4, 3), name, "black", font)
    for row, batch in enumerate(tqdm(batches, "sheet")):
        mask = batch["mask_fov"]
        shown = [enhance(batch["image"], mask) for enhance in named.values()]
        for column, image in enumerate([*shown, batch["image_high"]]):
            side = image.shape[-1]
            first = round(side * (1 - PART) / 2)
            part = image[..., first : side - first, first : side - first]
            for line, picture in enumerate((image, part)):
                top = HEADER + (2 * row + line) * TILE
                canvas.paste(_tile(picture), (column * TILE, top))
    return canvas


def _tile(image: Tensor) -> Image.Image:
    """Return `(1, 3, S, S)` in [0, 1] at the sheet's size."""
    small = functional.interpolate(image, (TILE, TILE), mode="bilinear", antialias=True)
    levels = (255 * small.clamp(0, 1)).round().to(torch.uint8)
    return Image.fromarray(levels[0].permute(1, 2, 0).numpy())


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
