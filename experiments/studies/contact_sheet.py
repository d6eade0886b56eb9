"""Contact sheet of the factors of the fundus recipe at rising severity, drawn on phantoms.

Command:  make contact-sheet
Hardware: 1 CPU core.
Time:     half a minute.
Writes:   docs/degradation.jpg.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate

from data_modules.datasets.phantom import draw_phantom
from magenet.degradation import CounterRNG, FundusDegradation

SEVERITIES = (0.0, 0.25, 0.5, 0.75, 1.0)
SIZE = 512
SIDE = 176
"""Side of a picture on the sheet, in pixels."""

CROP_SIDES = {
    "defocus": 160,
    "motion": 160,
    "blur": 160,
    "noise": 120,
    "grain": 120,
    "jpeg": 120,
    "spots": 320,
    "dust": 320,
}
"""Side of the central crop shown, in pixels, for factors invisible in a whole photograph."""

MARGIN, HEADER, GAP = 84, 22, 4


def view(image: Tensor, side: int) -> Tensor:
    """Return the central square of a photograph `(3, SIZE, SIZE)`, resized to `SIDE`.

    Args:
        image: Values in [0, 1].
        side: Side of the square, in pixels.
    """
    first = (SIZE - side) // 2
    image = image[None, :, first : first + side, first : first + side]
    return interpolate(image, (SIDE, SIDE), mode="bilinear", antialias=True)[0]


def main(arguments: list[str] | None = None) -> int:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="picture to write")
    parser.add_argument("--seed", type=int, default=12)
    options = parser.parse_args(arguments)
    degrade = FundusDegradation()
    names = list(degrade.factors)
    phantoms = [draw_phantom(seed, SIZE, lesions=True) for seed in (3, 8)]
    block_width = MARGIN + len(SEVERITIES) * (SIDE + GAP)
    rows = -(-len(names) // 2)
    canvas = Image.new("RGB", (2 * block_width, HEADER + rows * (SIDE + GAP)), "white")
    pen = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(13)
    for block in range(2):
        for column, severity in enumerate(SEVERITIES):
            left = block * block_width + MARGIN + column * (SIDE + GAP)
            pen.text((left + SIDE // 2 - 10, 3), f"{severity:g}", "black", font)
    for index, name in enumerate(names):
        block, row = divmod(index, rows)
        top = HEADER + row * (SIDE + GAP)
        pen.text((block * block_width + 4, top + SIDE // 2 - 8), name, "black", font)
        phantom = phantoms[block]
        mask = phantom.field.mask[None].float()
        image = phantom.image[None].float() / 255 * mask
        rng = CounterRNG(torch.tensor([index]), options.seed)
        for column, severity in enumerate(SEVERITIES):
            drawn = degrade.draw_chosen(rng, {name: torch.tensor([severity])})
            shown = view(degrade.apply(image, mask, drawn)[0], CROP_SIDES.get(name, SIZE))
            array = (shown * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
            left = block * block_width + MARGIN + column * (SIDE + GAP)
            canvas.paste(Image.fromarray(array), (left, top))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(options.out, quality=88)
    print(f"{options.out}: {len(names)} factors, {len(SEVERITIES)} severities")
    return 0


if __name__ == "__main__":
    sys.exit(main())
