from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_modules.datasets.phantom import draw_phantom
from experiments.studies import contact_sheet as sheet
from magenet.degradation import FundusDegradation

pytestmark = pytest.mark.usefixtures("workplace")


def test_a_row_begins_with_the_clean_photograph_and_ends_with_a_degraded_one(
    tmp_path: Path,
) -> None:
    assert sheet.main(["--out", str(tmp_path / "sheet.png")]) == 0
    with Image.open(tmp_path / "sheet.png") as picture:
        pixels = np.asarray(picture).astype(int)
    names = list(FundusDegradation().factors)
    rows = -(-len(names) // 2)
    step = sheet.SIDE + sheet.GAP
    for index, name in enumerate(names):
        block, row = divmod(index, rows)
        top = sheet.HEADER + row * step
        left = sheet.MARGIN + block * (sheet.MARGIN + len(sheet.SEVERITIES) * step)
        clean, *_, worst = (
            pixels[top : top + sheet.SIDE, x : x + sheet.SIDE]
            for x in range(left, left + len(sheet.SEVERITIES) * step, step)
        )
        phantom = draw_phantom((3, 8)[block], sheet.SIZE, lesions=True)
        image = phantom.image.float() / 255 * phantom.field.mask
        shown = sheet.view(image, sheet.CROP_SIDES.get(name, sheet.SIZE)).permute(1, 2, 0)
        assert np.abs(clean - 255 * shown.numpy()).max() <= 0.51, name
        assert np.abs(worst - clean).max() > 10, name
