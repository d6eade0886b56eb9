import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data_modules import (
    AdaptationDataModule,
    EvaluationDataModule,
    FolderPhotographs,
    ManifestPhotographs,
    PairedDataModule,
    PhantomPhotographs,
    UnpairedDataModule,
)
from data_modules.datasets.photographs import PhotographSource
from magenet.degradation import (
    FundusDegradation,
    Parameters,
)
from magenet.errors import UsageError
from tests.data_modules.samples import Run
from tests.drawn import drawn_folder, drawn_manifest


def source(kind: str, path: Path) -> PhotographSource:
    if kind == "phantoms":
        return PhantomPhotographs(count=4, val_count=2)
    if kind == "folder":
        return FolderPhotographs(str(drawn_folder(path)))
    return ManifestPhotographs(str(drawn_manifest(path, ["train"] * 4 + ["val"] * 2)))


@pytest.mark.parametrize("kind", ["phantoms", "folder", "manifest"])
def test_every_data_module_takes_every_source(kind: str, tmp_path: Path) -> None:
    photographs = source(kind, tmp_path)
    paired = PairedDataModule(photographs, image_size=64, batch_size=2, workers=0)
    raw = next(iter(paired.train_dataloader()))
    assert raw["image"].dtype == torch.uint8, "photographs travel as uint8"
    batch = paired.prepare(raw, training=True)
    assert batch["image_clean"].shape == batch["image_degraded"].shape == (2, 3, 64, 64)
    for key in ("image_clean", "image_degraded", "mask_fov", "mask_vessel"):
        assert batch[key].dtype == torch.float32
        assert float(batch[key].min()) >= 0.0
        assert float(batch[key].max()) <= 1.0
    assert not torch.equal(batch["image_clean"], batch["image_degraded"])
    outside = (batch["mask_fov"] == 0).expand_as(batch["image_clean"])
    assert not bool(batch["image_degraded"][outside].any())
    known = batch["vessel_known"]
    assert bool((batch["mask_vessel"].flatten(1).any(dim=1) <= known).all())

    unpaired = UnpairedDataModule(photographs, image_size=64, batch_size=2, workers=0)
    batch = unpaired.prepare(next(iter(unpaired.train_dataloader())), training=True)
    assert batch["image"].shape == batch["image_strong"].shape == (2, 3, 64, 64)
    assert 0.001 < float((batch["image"] - batch["image_strong"]).abs().mean()) < 0.2


def test_photographs_at_their_own_scale_come_one_at_a_time() -> None:
    own = ManifestPhotographs("index.csv", own_scale=True)
    same = ManifestPhotographs("index.csv")
    one = "differ in size, so that a batch is one of them: set batch_size .* to 1, not 2"
    with pytest.raises(ValueError, match=one):
        PairedDataModule(own, batch_size=2)
    with pytest.raises(ValueError, match=one):
        AdaptationDataModule(same, own, batch_size=1, real_batch_size=2)
    with pytest.raises(ValueError, match=one):
        EvaluationDataModule(own, batch_size=2)
    AdaptationDataModule(own, own, batch_size=1)
    AdaptationDataModule(own, same, batch_size=1, real_batch_size=2)
    EvaluationDataModule(own, batch_size=1)


def test_the_first_batch_can_be_looked_at(tmp_path: Path) -> None:
    module = AdaptationDataModule(
        PhantomPhotographs(count=4, val_count=2), PhantomPhotographs(count=4, val_count=2),
        image_size=48, batch_size=2, real_batch_size=3, workers=0, dump_first_batch=True,
    )  # fmt: skip
    module.trainer = Run(log_dir=str(tmp_path / "run"))  # type: ignore[assignment]
    module.setup("fit")
    for batch, _, _ in module.train_dataloader():
        prepared = module.on_after_batch_transfer(batch, 0)
    written = sorted(path.name for path in (tmp_path / "run").iterdir())
    pictures = ["first_batch_real.png", "first_batch_synthetic.png"]
    assert written == [pictures[0], "first_batch_synthetic.jsonl", pictures[1]]
    sizes = [Image.open(tmp_path / "run" / name).size for name in pictures]
    assert sizes == [(2 * 48 + 4, 3 * 48 + 8), (2 * 48 + 4, 2 * 48 + 4)]
    first = np.asarray(Image.open(tmp_path / "run" / "first_batch_synthetic.png"))
    last = (prepared["synthetic"]["image_clean"][0] * 255).round().byte().permute(1, 2, 0).numpy()
    assert np.abs(first[:48, :48].astype(int) - last).mean() > 1, "the first, not the last"
    lines = (tmp_path / "run/first_batch_synthetic.jsonl").read_text().splitlines()
    records = [json.loads(line)["factors"] for line in lines]
    degradation = FundusDegradation(gentle=1.0)
    parameters = Parameters.from_records(records, degradation.factors)
    clean = torch.from_numpy(first.copy()).permute(2, 0, 1).float() / 255
    clean = torch.stack([clean[:, :48, :48], clean[:, 52:100, :48]])
    mask = (clean.amax(dim=1, keepdim=True) > 0).float()
    again = degradation.apply(clean, mask, parameters)
    shown = torch.from_numpy(first.copy()).permute(2, 0, 1).float() / 255
    shown = torch.stack([shown[:, :48, 52:100], shown[:, 52:100, 52:100]])
    assert float((again - shown).abs().mean()) < 0.01, "the lines say what was done"


def test_keys_stay_on_the_host() -> None:
    module = PairedDataModule(PhantomPhotographs(count=2, val_count=2), image_size=48, workers=0)
    batch = next(iter(module.val_dataloader()))
    moved = module.transfer_batch_to_device(batch, torch.device("meta"), 0)
    assert moved["image"].device.type == "meta"
    assert torch.equal(moved["key"], batch["key"])
    mixed = {"synthetic": batch, "real": batch}
    nested = module.transfer_batch_to_device(mixed, torch.device("meta"), 0)["real"]
    assert nested["image"].device.type == "meta"
    assert torch.equal(nested["key"], batch["key"])


def test_workers_change_nothing() -> None:
    photographs = PhantomPhotographs(count=6, val_count=2)
    keys, images = [], []
    for workers in (0, 2):
        module = PairedDataModule(photographs, image_size=48, batch_size=2, workers=workers)
        batches = [module.prepare(b, training=True) for b in module.train_dataloader()]
        keys.append([batch["key"].tolist() for batch in batches])
        images.append(torch.cat([batch["image_degraded"] for batch in batches]))
    assert keys[0] == keys[1]
    assert torch.equal(*images)


@pytest.mark.parametrize(("count", "ranks"), [(5, 1), (5, 2), (5, 5), (8, 3)])
def test_a_validation_deals_every_photograph_to_one_rank(count: int, ranks: int) -> None:
    names = []
    for rank in range(ranks):
        drawn = PhantomPhotographs(count=2, val_count=count)
        module = PairedDataModule(drawn, image_size=32, batch_size=2, workers=0)
        module.trainer = Run(ranks, rank)  # type: ignore[assignment]
        own = [name for batch in module.val_dataloader() for name in batch["name"]]
        assert count // ranks <= len(own) <= count // ranks + 1
        names += own
    assert len(names) == len(set(names)) == count


def test_a_validation_with_fewer_photographs_than_devices_is_refused() -> None:
    module = PairedDataModule(PhantomPhotographs(count=8, val_count=2), image_size=32, workers=0)
    module.trainer = Run(ranks=3)  # type: ignore[assignment]
    with pytest.raises(UsageError, match=r"2 photograph\(s\) .* 3 devices; use at most 2 "):
        module.val_dataloader()


def test_an_epoch_of_many_steps_repeats_the_photographs() -> None:
    source = PhantomPhotographs(count=3, val_count=1)
    module = PairedDataModule(source, image_size=48, batch_size=2, workers=0, steps=3)
    batches = list(module.train_dataloader())
    names = [name for batch in batches for name in batch["name"]]
    assert len(batches) == 3
    assert len(set(names[:3])) == len(set(names[3:])) == 3, "two passes"
    assert len({int(key) for batch in batches for key in batch["key"]}) == 6, "degraded anew"


def test_preparation_is_outside_autocast() -> None:
    seen: list[bool] = []

    class Look(PairedDataModule):
        def prepare(self, batch: dict[str, Any], training: bool) -> dict[str, Any]:
            seen.append(torch.is_autocast_enabled("cpu"))
            return super().prepare(batch, training)

    module = Look(PhantomPhotographs(count=2, val_count=1), image_size=48, workers=0)
    batch = next(iter(module.val_dataloader()))
    with torch.autocast("cpu", torch.bfloat16):
        prepared = module.on_after_batch_transfer(batch, 0)
    assert seen == [False]
    assert prepared["image_degraded"].dtype == torch.float32


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"image_size": 16}, "image_size"),
        ({"batch_size": 0}, "batch_size"),
        ({"steps": 0}, "steps"),
    ],
)
def test_senseless_settings_are_refused(arguments: dict[str, int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        PairedDataModule(PhantomPhotographs(), **arguments)  # type: ignore[arg-type]
