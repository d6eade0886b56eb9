"""Sampling, orientation, and the batches that training sees."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data_modules import (
    AdaptationDataModule,
    FolderPhotographs,
    ManifestPhotographs,
    PairedDataModule,
    PhantomPhotographs,
    SegmentationDataModule,
    UnpairedDataModule,
)
from data_modules.base import orient
from data_modules.datasets.phantom import draw_phantom
from data_modules.datasets.photographs import PhotographSource
from data_modules.datasets.sampling import FixedLengthSampler
from data_modules.datasets.sources import PhantomDataset
from data_modules.files.writing import write_photograph
from data_modules.paired import CONDITIONS
from data_modules.segmentation import move
from magenet.degradation import (
    CofeDegradation,
    CounterRNG,
    Degradation,
    FundusDegradation,
    Parameters,
    code,
)
from magenet.errors import UserError


def sampler(length: int, count: int, **kwargs: Any) -> FixedLengthSampler:
    return FixedLengthSampler(PhantomDataset(range(length), 32, "clinic"), count, seed=1, **kwargs)


def test_a_short_set_is_stretched_in_another_order_each_time() -> None:
    items = [index for index, _ in sampler(5, 20)]
    passes = [tuple(items[i : i + 5]) for i in range(0, 20, 5)]
    assert all(sorted(order) == list(range(5)) for order in passes)
    assert len(set(passes)) > 1


def test_a_long_set_shows_all_of_itself_over_the_epochs() -> None:
    chosen = sampler(10, 4)
    seen = []
    for epoch in range(5):
        chosen.set_epoch(epoch)
        seen += [index for index, _ in chosen]
    assert sorted(seen) == sorted([*range(10), *range(10)])


def test_keys_never_repeat_and_ranks_share_the_work() -> None:
    ranks = [sampler(7, 12, ranks=2, rank=rank) for rank in (0, 1)]
    alone = sampler(7, 12)
    for epoch in range(3):
        for s in (*ranks, alone):
            s.set_epoch(epoch)
        both = [list(rank) for rank in ranks]
        assert [len(part) for part in both] == [6, 6]
        assert sorted(both[0] + both[1], key=lambda item: item[1]) == list(alone)
        assert [key for _, key in alone] == list(range(12 * epoch, 12 * epoch + 12))


def test_orientation_moves_photograph_and_masks_alike() -> None:
    image = torch.rand(64, 3, 16, 16)
    mask = (image[:, :1] > 0.5).float()
    turned, turned_mask = orient([image, mask], CounterRNG(torch.arange(64)))
    assert torch.equal((turned[:, :1] > 0.5).float(), turned_mask)
    assert torch.allclose(turned.sum(dim=(2, 3)), image.sum(dim=(2, 3)), atol=1e-3)
    still = sum(torch.equal(a, b) for a, b in zip(turned, image, strict=True))
    assert 2 <= still <= 16  # one in eight


def folder(path: Path, count: int = 5) -> Path:
    for seed in range(count):
        write_photograph(draw_phantom(seed, 80).image, path / f"eye_{seed}.png")
    return path


def manifest(path: Path) -> Path:
    folder(path, 6)
    for seed in range(6):
        mask = draw_phantom(seed, 80).vessels.expand(3, -1, -1).to(torch.uint8) * 255
        write_photograph(mask, path / f"vessels_{seed}.png")
    lines = [
        f"eye_{i}.png,{'vessels_' + str(i) + '.png' if i % 2 else ''},"
        f"{'train' if i < 4 else 'val'},{'good' if i < 3 else 'usable'}"
        for i in range(6)
    ]
    (path / "index.csv").write_text("image,vessel_mask,split,quality\n" + "\n".join(lines) + "\n")
    return path / "index.csv"


def source(kind: str, path: Path) -> PhotographSource:
    if kind == "phantoms":
        return PhantomPhotographs(count=4, val_count=2)
    if kind == "folder":
        return FolderPhotographs(str(folder(path)))
    return ManifestPhotographs(str(manifest(path)))


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


def test_validation_never_changes_and_the_test_shows_every_type() -> None:
    def batches(loader: Any, module: PairedDataModule) -> list[dict[str, Any]]:
        return [module.prepare(batch, training=False) for batch in loader]

    photographs = PhantomPhotographs(count=4, val_count=3)
    runs = []
    for size in (1, 3):
        module = PairedDataModule(photographs, image_size=48, batch_size=size, workers=0)
        parts = batches(module.val_dataloader(), module)
        runs.append(torch.cat([part["image_degraded"] for part in parts]))
    assert torch.allclose(*runs, atol=1e-6)

    none = FundusDegradation(severity=0.0)  # what a network is trained on is not its test
    module = PairedDataModule(photographs, none, image_size=48, batch_size=9, workers=0)
    test = batches(module.test_dataloader(), module)
    assert [tuple(batch["condition"]) for batch in test] == [CONDITIONS] * 3
    assert all(len(set(batch["name"])) == 1 for batch in test)
    seeded = PairedDataModule(photographs, none, image_size=48, batch_size=9, workers=0, seed=9)
    for batch, same in zip(test, batches(seeded.test_dataloader(), seeded), strict=True):
        assert torch.equal(batch["image_degraded"], same["image_degraded"]), "whatever the seed"
        rng = CounterRNG(batch["key"], 0)
        codes = torch.tensor([code(name) for name in CONDITIONS[:-2]] + [1, 1])
        clean, mask = batch["image_clean"], batch["mask_fov"]
        typed = CofeDegradation()(clean, mask, rng, codes)
        assert torch.allclose(batch["image_degraded"][:-2], typed[:-2], atol=1e-6)
        mixed = FundusDegradation()(clean, mask, rng)
        assert torch.allclose(batch["image_degraded"][-2], mixed[-2], atol=1e-6)
        assert torch.equal(batch["image_degraded"][-1], clean[-1]), "under 'none' as it was"


def test_the_first_batch_can_be_looked_at(tmp_path: Path) -> None:
    class Run:
        world_size, global_rank, current_epoch = 1, 0, 0
        training, is_global_zero, log_dir = True, True, str(tmp_path / "run")

    module = AdaptationDataModule(
        PhantomPhotographs(count=4, val_count=2), PhantomPhotographs(count=4, val_count=2),
        image_size=48, batch_size=2, real_batch_size=3, workers=0, dump_first_batch=True,
    )  # fmt: skip
    module.trainer = Run()  # type: ignore[assignment]
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


def test_mixed_batches_have_their_own_sizes_and_an_epoch_is_the_longer_set() -> None:
    module = AdaptationDataModule(
        PhantomPhotographs(count=12, val_count=2),
        PhantomPhotographs(count=5, val_count=2, camera="handheld"),
        image_size=48, batch_size=2, real_batch_size=3, workers=0,
    )  # fmt: skip
    module.setup("fit")
    loader = module.train_dataloader()
    batches = [module.prepare(batch, training=True) for batch, _, _ in loader]
    assert len(batches) == 6
    assert all(len(batch["synthetic"]["image_clean"]) == 2 for batch in batches)
    assert all(len(batch["real"]["image"]) == 3 for batch in batches)
    names = [name for batch in batches for name in batch["real"]["name"]]
    assert len(names) == 18
    assert names[:5] != names[5:10]
    assert set(names[:5]) == set(names[5:10]), "stretched by whole passes"


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


def test_a_test_may_show_some_conditions_at_another_size() -> None:
    photographs = PhantomPhotographs(count=4, val_count=2)
    module = PairedDataModule(
        photographs, image_size=48, batch_size=4, workers=0, conditions=["none", "spots"],
        scored_size=64,
    )  # fmt: skip
    batch = next(iter(module.test_dataloader()))
    assert list(batch["condition"]) == ["none", "spots"] * 2
    assert batch["image"].shape == (4, 3, 64, 64)
    assert next(iter(module.val_dataloader()))["image"].shape[-1] == 48
    with pytest.raises(ValueError, match=r"'fog' is none of illumination.*none"):
        PairedDataModule(photographs, conditions=["fog"])


def test_segmentation_needs_masks(tmp_path: Path) -> None:
    module = SegmentationDataModule(
        FolderPhotographs(str(folder(tmp_path))), image_size=48, batch_size=2, workers=0
    )
    with pytest.raises(UserError, match=r"no vessel mask: eye_\d.png"):
        module.prepare(next(iter(module.train_dataloader())), training=True)


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
    [({"image_size": 16}, "image_size"), ({"batch_size": 0}, "batch_size")],
)
def test_senseless_settings_are_refused(arguments: dict[str, int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        PairedDataModule(PhantomPhotographs(), **arguments)  # type: ignore[arg-type]
