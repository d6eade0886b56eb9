from typing import Any

import pytest
import torch

from data_modules import (
    PairedDataModule,
    PhantomPhotographs,
)
from data_modules.paired import CONDITIONS
from magenet.degradation import (
    CofeDegradation,
    CounterRNG,
    FundusDegradation,
    type_code,
)


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
        codes = torch.tensor([type_code(name) for name in CONDITIONS[:-2]] + [1, 1])
        clean, mask = batch["image_clean"], batch["mask_fov"]
        typed = CofeDegradation()(clean, mask, rng, codes)
        assert torch.allclose(batch["image_degraded"][:-2], typed[:-2], atol=1e-6)
        mixed = FundusDegradation()(clean, mask, rng)
        assert torch.allclose(batch["image_degraded"][-2], mixed[-2], atol=1e-6)
        assert torch.equal(batch["image_degraded"][-1], clean[-1]), "under 'none' as it was"


def test_trainings_with_different_recipes_may_be_validated_under_one() -> None:
    photographs = PhantomPhotographs(count=2, val_count=2)
    none, spots = FundusDegradation(severity=0.0), CofeDegradation(["spots"])
    given: dict[str, Any] = {"image_size": 48, "batch_size": 2, "workers": 0}
    alone = PairedDataModule(photographs, spots, **given)
    module = PairedDataModule(photographs, none, validation_degradation=spots, **given)
    batch, expected = (
        m.prepare(next(iter(m.val_dataloader())), training=False) for m in (module, alone)
    )
    assert torch.equal(batch["image_degraded"], expected["image_degraded"])
    trained = module.prepare(next(iter(module.val_dataloader())), training=True)
    assert torch.allclose(trained["image_degraded"], trained["image_clean"], atol=1e-6)


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
