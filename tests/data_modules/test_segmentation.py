from pathlib import Path
from typing import Any

import pytest
import torch

from data_modules import (
    FolderPhotographs,
    PhantomPhotographs,
    SegmentationDataModule,
)
from data_modules.segmentation import move
from magenet.degradation import (
    CounterRNG,
    Degradation,
)
from magenet.errors import UserError
from tests.drawn import drawn_folder


def test_segmentation_never_degrades(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> None:
        raise AssertionError("a segmenter must not see a degraded photograph")

    monkeypatch.setattr(Degradation, "apply", refuse)
    photographs = PhantomPhotographs(count=4, val_count=2)
    module = SegmentationDataModule(photographs, image_size=48, batch_size=2, workers=0)
    trained = module.prepare(next(iter(module.train_dataloader())), training=True)
    assert float(trained["mask_structure"].sum()) > 0
    raw = next(iter(module.val_dataloader()))
    batch = module.prepare(raw, training=False)
    assert torch.equal(batch["image"], raw["image"].float() / 255 * raw["mask_fov"])


def test_segmentation_moves_photograph_and_mask_alike() -> None:
    ramp = torch.linspace(0, 1, 64).expand(2, 1, 64, 64).clone()
    rng = CounterRNG(torch.tensor([3, 4]), 0)
    one, other = move([ramp, (ramp > 0.5).float()], rng)
    assert not torch.allclose(one, ramp, atol=0.05)
    seen = one[:, :, 20:44, 20:44]  # away from what came in over the border
    wrong = ((seen > 0.52) & (other[:, :, 20:44, 20:44] < 0.4)).float().mean()
    assert float(wrong) == 0.0


def test_segmentation_needs_masks(tmp_path: Path) -> None:
    module = SegmentationDataModule(
        FolderPhotographs(str(drawn_folder(tmp_path))), image_size=48, batch_size=2, workers=0
    )
    with pytest.raises(UserError, match=r"no vessel mask: eye_\d.png"):
        module.prepare(next(iter(module.train_dataloader())), training=True)
