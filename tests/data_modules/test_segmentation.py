from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch.nn import functional

from data_modules import (
    FolderPhotographs,
    ManifestPhotographs,
    PhantomPhotographs,
    SegmentationDataModule,
)
from data_modules.batch import Batch
from data_modules.datasets.phantom import draw_phantom
from data_modules.files.writing import write_photograph
from data_modules.segmentation import move
from magenet.degradation import (
    CounterRNG,
    Degradation,
)
from magenet.errors import UserError
from tests.data_modules.tables import table
from tests.drawn import drawn_folder, white


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


def test_a_cup_is_segmented_where_the_manifest_has_it(tmp_path: Path) -> None:
    for name, kind in (("a", "disc"), ("b", "fov")):
        phantom = draw_phantom(0, 64)
        mask = {"disc": phantom.disc, "fov": phantom.field.mask}[kind]
        write_photograph(phantom.image, tmp_path / f"{name}.png")
        write_photograph(white(mask), tmp_path / f"cup_{name}.png")
    table(
        tmp_path / "index.csv", ("image", "split", "cup_mask"),
        ("a.png", "train", "cup_a.png"), ("b.png", "val", ""),
    )  # fmt: skip
    photographs = ManifestPhotographs(str(tmp_path / "index.csv"), labels=[])
    module = SegmentationDataModule(photographs, "cup", image_size=64, batch_size=1, workers=0)
    raw = next(iter(module.train_dataloader()))
    assert 0 < float(raw["mask_cup"].float().mean()) < 30, "a disc, and not the field"
    batch = module.prepare(raw, training=False)
    assert torch.equal(batch["mask_structure"], raw["mask_cup"].float() / 255)
    with pytest.raises(UserError, match=r"no cup mask: b\.png"):
        module.prepare(next(iter(module.val_dataloader())), training=False)


def windowed(**options: Any) -> SegmentationDataModule:
    photographs = PhantomPhotographs(count=4, val_count=2)
    given = {"image_size": 128, "batch_size": 2, "workers": 0, "least_size": 64} | options
    return SegmentationDataModule(photographs, window_size=32, windows=5, **given)


def test_windows_are_cut_from_photograph_and_mask_alike() -> None:
    """Drawn into the photograph, the mask of the structure is found where it says it is."""
    module = windowed()
    for key in range(3):
        raw = dict(next(iter(module.train_dataloader())))
        raw["key"] = torch.tensor([2 * key, 2 * key + 1])
        thick = functional.max_pool2d(raw["mask_vessel"].float(), 5, 1, 2).to(torch.uint8)
        raw |= {"image": thick.expand(-1, 3, -1, -1) // 2, "mask_vessel": thick}
        batch = module.prepare(cast(Batch, raw), training=True)
        image, structure, mask = batch["image"], batch["mask_structure"], batch["mask_fov"]
        assert image.shape == (10, 3, 32, 32), "B K windows"
        assert structure.shape == mask.shape == (10, 1, 32, 32)
        assert bool(((mask == 0) | (mask == 1)).all())
        seen, wanted = image[:, 1:2] > 0.2, (structure > 0.5) & (mask > 0)
        assert float(wanted.float().mean()) > 0.01
        overlap = 2 * (seen & wanted).sum() / (seen.sum() + wanted.sum())
        assert float(overlap) > 0.85
        places = image.flatten(1)
        assert len({tuple(place.tolist()) for place in places}) > 5, "several places of each"


def test_the_fields_edge_goes_with_the_windows() -> None:
    module = windowed()
    raw = dict(next(iter(module.train_dataloader())))
    raw["image"] = torch.full_like(raw["image"], 255)
    batch = module.prepare(cast(Batch, raw), training=True)
    dark = batch["image"].amax(dim=1, keepdim=True) < 0.2
    assert 0.0 < float(batch["mask_fov"].mean()) < 1.0
    assert float((dark == (batch["mask_fov"] == 0)).float().mean()) > 0.97


def test_a_validation_shows_whole_photographs() -> None:
    module = windowed()
    batch = module.prepare(next(iter(module.val_dataloader())), training=False)
    assert batch["image"].shape == (2, 3, 128, 128)
    whole = windowed(least_size=None)
    trained = whole.prepare(next(iter(whole.train_dataloader())), training=True)
    assert trained["image"].shape == (2, 3, 128, 128)
