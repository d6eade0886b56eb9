from typing import Any, Literal, cast

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from data_modules import PairedDataModule, PhantomPhotographs
from data_modules.batch import Batch
from data_modules.datasets.dust import DEEPEST
from data_modules.detail import CELLS, DetailDataModule, target
from data_modules.windows import MULTIPLE
from magenet.degradation import FundusDegradation

IMAGES: tuple[Literal["image_clean", "image_degraded", "image_target"], ...] = (
    "image_clean", "image_degraded", "image_target",
)  # fmt: skip
PHOTOGRAPHS = PhantomPhotographs(count=4, val_count=2)
NONE = FundusDegradation(severity=0.0)
GIVEN: dict[str, Any] = {"image_size": 128, "batch_size": 4, "workers": 0}
WINDOWS: dict[str, Any] = {"least_size": 64, "window_size": 32, "windows": 3}


def module(degradation: FundusDegradation | None = None, **options: Any) -> DetailDataModule:
    return DetailDataModule(PHOTOGRAPHS, degradation, **{**GIVEN, **WINDOWS, **options})


def loaded(own: DetailDataModule) -> dict[str, Any]:
    """Return a training batch as it comes from the loader."""
    return dict(next(iter(own.train_dataloader())))


def prepared(own: DetailDataModule, batch: dict[str, Any], training: bool = True) -> Batch:
    return own.prepare(cast(Batch, batch), training)


def field(size: int) -> Tensor:
    axis = (torch.arange(size) + 0.5) / size - 0.5
    return ((axis[:, None].square() + axis.square()) < 0.24).float()[None, None]


def test_a_batch_has_what_is_promised() -> None:
    own = module()
    batch = prepared(own, loaded(own))
    side = batch["image_clean"].shape[-1]
    assert 64 <= side <= 128
    assert side % MULTIPLE == 0
    for name in IMAGES:
        image = batch[name]
        assert image.shape == (4, 3, side, side)
        assert float(image.min()) >= 0.0
        assert float(image.max()) <= 1.0
        assert not bool((image * (1 - batch["mask_fov"])).any()), "black outside the field"
    assert batch["mask_fov"].shape == batch["mask_vessel"].shape == (4, 1, side, side)
    assert bool(((batch["mask_fov"] == 0) | (batch["mask_fov"] == 1)).all())
    assert batch["mask_visible"].shape == (4, 1, side, side)
    assert bool((batch["mask_visible"] <= batch["mask_fov"]).all()), "known in the field alone"
    assert batch["window_size"] == 32
    assert batch["window_corner"].shape == (4, 3, 2)
    assert int(batch["window_corner"].max()) + 32 <= side
    assert batch["parameters"].size == 4
    assert len(batch["name"]) == 4
    assert "image" not in batch


def test_sides_differ_from_batch_to_batch_and_come_again_with_their_keys() -> None:
    own = module(NONE)
    batch = loaded(own)
    sides = set()
    for key in range(6):
        batch["key"] = torch.arange(4) + 4 * key
        sides.add(prepared(own, batch)["image_clean"].shape[-1])
    assert len(sides) > 1
    once, again = (prepared(own, batch) for _ in range(2))
    assert torch.equal(once["image_degraded"], again["image_degraded"])
    assert torch.equal(once["window_corner"], again["window_corner"])


def test_vessels_move_with_their_photograph() -> None:
    own = module(NONE, camera=0.0)
    batch = loaded(own)
    batch["image"] = batch["mask_vessel"].expand(-1, 3, -1, -1) * batch["mask_fov"]
    found = prepared(own, batch)
    seen, wanted = found["image_clean"][:, :1], found["mask_vessel"] * found["mask_fov"]
    assert float(wanted.max()) > 0.5
    assert float((seen - wanted).abs().mean()) < 0.01


def test_without_degradation_all_three_are_one_photograph() -> None:
    own = module(NONE)
    batch = prepared(own, loaded(own))
    clean, mask = batch["image_clean"], batch["mask_fov"]
    assert torch.allclose(batch["image_degraded"], clean, atol=1e-6)
    deep = -functional.max_pool2d(-mask, 9, 1, 4)
    assert float(((batch["image_target"] - clean) * deep).abs().max()) < 0.02


def test_a_burnt_out_place_is_not_known() -> None:
    """There the target is not the clean photograph; elsewhere it is."""
    burnt = module(FundusDegradation(mix={"burnout": [1, 1, 1]}), camera=0.0, least_size=128)
    batch = prepared(burnt, loaded(burnt))
    known, mask = batch["mask_visible"], batch["mask_fov"]
    white = (batch["image_degraded"].amin(dim=1, keepdim=True) > 0.995).float()
    deep = -functional.max_pool2d(-white, 3, 1, 1)
    assert float(deep.sum()) > 20
    assert float((known * deep).sum()) < 0.05 * float(deep.sum())
    assert float((known * mask).sum()) > 0.5 * float(mask.sum())
    off = (batch["image_target"] - batch["image_clean"]).abs().mean(dim=1, keepdim=True)
    assert float((off * deep).sum() / deep.sum()) > 0.1
    assert float((off * known).sum() / known.sum()) < 0.02


def test_both_of_a_pair_are_of_one_camera_and_each_pair_of_its_own() -> None:
    own, other = module(NONE), module(NONE, camera=0.0)
    batch = loaded(own)
    for name in ("image", "mask_fov"):
        batch[name] = batch[name][:1].expand(4, -1, -1, -1)
    taken, plain = prepared(own, batch), prepared(other, batch)
    colours = taken["image_clean"].mean(dim=(2, 3))
    assert float((colours - plain["image_clean"].mean(dim=(2, 3))).abs().max()) > 0.01
    assert float((torch.cdist(colours, colours) + torch.eye(4)).min()) > 0.005
    assert torch.allclose(taken["image_clean"], taken["image_degraded"], atol=1e-6)
    assert torch.equal(plain["image_clean"], plain["image_degraded"])


def test_validation_is_as_without_windows() -> None:
    own = module(seed=7)
    paired = PairedDataModule(PHOTOGRAPHS, **GIVEN)
    for batch, same in zip(own.val_dataloader(), paired.val_dataloader(), strict=True):
        found, wanted = prepared(own, batch, training=False), paired.prepare(same, training=False)
        assert found.keys() == wanted.keys()
        assert torch.equal(found["image_degraded"], wanted["image_degraded"])
        assert torch.equal(found["image_clean"], wanted["image_clean"])


@pytest.mark.parametrize("camera", [0.0, 0.6])
def test_dust_is_in_the_degraded_photograph_alone(camera: float) -> None:
    """The photograph as loaded has it: it is taken out of the clean one, and left in the other."""
    own = module(NONE, camera=camera)
    batch = loaded(own)
    bare = dict(batch)
    grain = torch.zeros(4, 1, 128, 128, dtype=torch.uint8)
    grain[..., 30:46, 56:72] = 255
    dusty = batch["image"].float() * (1 - DEEPEST * grain / 255)
    batch |= {"image": dusty.round().to(torch.uint8), "mask_dust": grain}
    found, wanted = prepared(own, batch), prepared(own, bare)
    assert float((found["image_clean"] - wanted["image_clean"]).abs().max()) < 0.02
    assert float((found["image_target"] - wanted["image_target"]).abs().max()) < 0.03
    dust, clean = found["mask_dust"], found["image_clean"]
    assert dust.shape == found["mask_fov"].shape, "reduced like its photograph"
    assert float(dust.max()) == 1.0
    lost = (1 - found["image_degraded"] / clean.clamp(min=1e-3)) * (clean > 0.05)
    wanted_loss = DEEPEST * dust * (clean > 0.05)
    assert torch.allclose(lost, wanted_loss, atol=0.01), "as deep as before, at the same place"


@pytest.mark.parametrize("camera", [0.0, 0.6])
def test_a_bright_place_under_dust_is_not_brighter_than_white(camera: float) -> None:
    own = module(NONE, camera=camera)
    batch = loaded(own)
    batch["image"] = torch.full_like(batch["image"], 255)
    batch["mask_dust"] = torch.full((4, 1, 128, 128), 200, dtype=torch.uint8)
    found = prepared(own, batch)
    for name in IMAGES:
        assert float(found[name].max()) <= 1.0


def test_the_target_is_the_clean_photograph_where_it_is_known() -> None:
    mask = field(96)
    clean, degraded = torch.rand(2, 1, 3, 96, 96) * mask
    everywhere = target(clean, degraded, mask, torch.ones_like(mask))
    assert torch.allclose(everywhere, clean, atol=1e-6)
    assert not bool((everywhere * (1 - mask)).any())
    known = torch.ones(1, 1, 96, 96)
    known[..., 48:] = 0.0
    half = target(clean, degraded, mask, known)
    assert torch.allclose(half[..., :48], clean[..., :48], atol=1e-6)
    assert not torch.allclose(half[..., 48:], clean[..., 48:], atol=0.1)


def test_the_target_is_the_degraded_photograph_without_detail_where_nothing_is_known() -> None:
    size = 6 * CELLS
    mask = torch.ones(1, 1, size, size)
    light = torch.linspace(0.2, 0.8, size).expand(1, 3, size, size)
    degraded = (light + 0.1 * torch.randn_like(light)).clamp(0.0, 1.0)
    found = target(torch.rand_like(light), degraded, mask, torch.zeros_like(mask))
    assert float((found - light).abs().mean()) < 0.03, "its light"
    fine = found - functional.avg_pool2d(found, 5, 1, 2, count_include_pad=False)
    assert float(fine.std()) < 0.005, "and no detail"


def test_what_is_known_does_not_colour_what_is_not() -> None:
    """A burnt-out place stays white up to its border: the retina beside it is not mixed in."""
    size = 2 * CELLS
    mask = torch.ones(1, 1, size, size)
    degraded = torch.full((1, 3, size, size), 0.3)
    known = torch.ones(1, 1, size, size)
    degraded[..., 31:65, 31:65], known[..., 31:65, 31:65] = 1.0, 0.0  # across cells of 2 px
    found = target(torch.full_like(degraded, 0.3), degraded, mask, known)
    assert float(found[..., 31:65, 31:65].min()) > 0.9
    assert torch.allclose(found[..., :31], torch.tensor(0.3))


def test_the_target_ignores_what_lies_outside_the_field() -> None:
    mask = field(96)
    degraded = 0.5 * mask.expand(1, 3, -1, -1)
    found = target(degraded, degraded, mask, torch.zeros_like(mask))
    deep = -functional.max_pool2d(-mask, 7, 1, 3)
    assert torch.allclose(found[deep.expand_as(found) > 0], torch.tensor(0.5), atol=1e-3)
    rim = (mask - deep).expand_as(found) > 0
    assert float(found[rim].min()) > 0.4, "the black surround does not darken the rim"
