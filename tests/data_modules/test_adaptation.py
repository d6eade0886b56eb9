import torch

from data_modules import (
    AdaptationDataModule,
    PhantomPhotographs,
)


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


def test_with_windows_both_parts_have_them_at_scales_of_their_own() -> None:
    module = AdaptationDataModule(
        PhantomPhotographs(count=8, val_count=2),
        PhantomPhotographs(count=8, val_count=2, camera="handheld"),
        image_size=96, batch_size=1, workers=0, windows=3, window_size=32, least_size=48,
    )  # fmt: skip
    module.setup("fit")
    sides = set()
    for batch, _, _ in module.train_dataloader():
        prepared = module.prepare(batch, training=True)
        for part in (prepared["synthetic"], prepared["real"]):
            side = part["mask_fov"].shape[-1]
            sides.add(side)
            assert part["window_size"] == 32
            assert part["window_corner"].shape == (1, 3, 2)
            assert int(part["window_corner"].max()) <= side - 32
        assert prepared["real"]["image_strong"].shape == prepared["real"]["image"].shape
    assert len(sides) > 2
    assert min(sides) >= 48
    plain = next(iter(module.val_dataloader()[1]))
    assert module.unpaired.prepare(plain, training=False)["image"].shape[-1] == 96


def test_windows_are_never_larger_than_their_photograph() -> None:
    """Else one small photograph would end a training whose teacher sees flipped views."""
    module = AdaptationDataModule(
        PhantomPhotographs(count=2, val_count=2), PhantomPhotographs(count=2, val_count=2),
        image_size=48, batch_size=1, workers=0, windows=2, window_size=64, least_size=48,
    )  # fmt: skip
    module.setup("fit")
    batch = next(iter(module.train_dataloader()))[0]
    for part in module.prepare(batch, training=True).values():
        assert part["window_size"] == part["mask_fov"].shape[-1] == 48
        assert not bool(part["window_corner"].any())


def test_a_saturated_photograph_stays_within_its_range_at_every_scale() -> None:
    module = AdaptationDataModule(
        PhantomPhotographs(count=2, val_count=2), PhantomPhotographs(count=2, val_count=2),
        image_size=256, batch_size=1, workers=0, windows=1, window_size=32, least_size=128,
    )  # fmt: skip
    module.setup("fit")
    batch = next(iter(module.train_dataloader()))[0]["real"]
    for key in range(12):
        white = batch | {"image": torch.full_like(batch["image"], 255), "key": torch.tensor([key])}
        assert float(module.unpaired.prepare(white, training=True)["image"].max()) <= 1.0
