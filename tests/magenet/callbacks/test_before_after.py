"""Sheets of test photographs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from magenet.callbacks import before_after
from magenet.callbacks.before_after import BeforeAfterPictures


@pytest.mark.parametrize("sides", [(48, 32, 40), (700, 900, 600)])
def test_photographs_of_several_sizes_fit_on_one_sheet(
    sides: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those at their own scale have."""
    monkeypatch.setattr(before_after, "SIDE", 64)
    callback = BeforeAfterPictures(count=3)
    trainer: Any = SimpleNamespace(num_test_batches=[3], log_dir=tmp_path, is_global_zero=True)
    task: Any = None
    callback.on_test_start(trainer, task)
    for index, side in enumerate(sides):
        image = torch.full((1, 3, side, side), 0.25 * (index + 1))
        callback.on_test_batch_end(trainer, task, {"input": image, "clean": image}, None, index)
    callback.on_test_end(trainer, task)
    side = min(64, *sides)
    with Image.open(tmp_path / "input_clean.png") as sheet:
        assert sheet.size == (2 * side + 4, 3 * side + 8)
        greys = [sheet.getpixel((side // 2, row * (side + 4) + side // 2)) for row in range(3)]
    assert greys == [(round(255 * 0.25 * n),) * 3 for n in (1, 2, 3)]
