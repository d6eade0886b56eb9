import pytest
import torch
from torch import Tensor

from data_modules.phantom import draw_phantom
from magenet.degradation import TYPES, Degradation, Draws, code
from magenet.degradation.blur import blur


@pytest.fixture(scope="module")
def batch() -> tuple[Tensor, Tensor]:
    phantoms = [draw_phantom(seed, 64) for seed in range(8)]
    image = torch.stack([p.image for p in phantoms]).float() / 255
    return image, torch.stack([p.field.mask for p in phantoms]).float()


def test_same_seed_same_pixels_at_any_batch_split(batch: tuple[Tensor, Tensor]) -> None:
    image, mask = batch
    keys = torch.arange(8) + 100
    degrade = Degradation()
    whole = degrade(image, mask, Draws(keys, seed=5))
    for size in (1, 3):
        parts = [
            degrade(i, m, Draws(k, seed=5))
            for i, m, k in zip(image.split(size), mask.split(size), keys.split(size), strict=True)
        ]
        assert torch.allclose(torch.cat(parts), whole, atol=1e-6)
    assert not torch.allclose(degrade(image, mask, Draws(keys, seed=6)), whole, atol=1e-2)


def test_global_randomness_plays_no_part(batch: tuple[Tensor, Tensor]) -> None:
    image, mask = batch
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        results.append(Degradation()(image, mask, Draws(torch.arange(8))))
    assert torch.equal(*results)


@pytest.mark.parametrize("name", TYPES)
def test_each_type_does_what_its_name_says(batch: tuple[Tensor, Tensor], name: str) -> None:
    image, mask = batch
    image = image * mask
    draws = Draws(torch.arange(8))
    result = Degradation((name,))(image, mask, draws)
    assert float(result.min()) >= 0.0
    assert float(result.max()) <= 1.0
    assert not bool((result * (1 - mask)).any()), "black outside the field"
    change = (result - image).abs().mean(dim=(1, 2, 3)) / mask.mean(dim=(1, 2, 3))
    assert bool((change > 0.03).all()) == ("illumination" in name)
    if name == "spots":  # they only add light
        assert bool((result >= image - 1e-6).all())
    if "spots" in name or "illumination" in name:
        assert bool((change > 1e-4).all())


@pytest.mark.parametrize("name", [name for name in TYPES if "blur" in name])
def test_blur_comes_last_and_takes_detail_away(name: str) -> None:
    phantoms = [draw_phantom(seed, 256) for seed in range(3)]
    image = torch.stack([p.image for p in phantoms]).float() / 255
    mask = torch.stack([p.field.mask for p in phantoms]).float()
    draws = Draws(torch.arange(3))
    result = Degradation((name,))(image, mask, draws)
    sharp = image * mask
    if name != "blur":
        sharp = Degradation((name.removesuffix("_blur"),))(image, mask, draws)
    inside = -torch.nn.functional.max_pool2d(-mask, 9, 1, 4)  # away from the edge, where
    expected = blur(sharp, draws)  # a halo outside, not yet cut off, is blurred in
    assert torch.allclose(result * inside, expected * inside, atol=1e-6)
    assert float((result - sharp).abs().max()) > 0.02


def test_given_codes_decide(batch: tuple[Tensor, Tensor]) -> None:
    image, mask = batch
    draws = Draws(torch.arange(8))
    codes = torch.tensor([code("spots")] * 4 + [code("illumination")] * 4)
    mixed = Degradation()(image, mask, draws, codes)
    assert torch.equal(mixed[:4], Degradation(("spots",))(image, mask, draws)[:4])
    assert torch.equal(mixed[4:], Degradation(("illumination",))(image, mask, draws)[4:])


def test_all_types_are_drawn_evenly() -> None:
    draws = Draws(torch.arange(7000))
    counts = torch.bincount(draws.integer("type", 0, 6).long(), minlength=7)
    assert int(counts.min()) > 880
    assert int(counts.max()) < 1120


def test_strength_lies_between(batch: tuple[Tensor, Tensor]) -> None:
    image, mask = batch
    image = image * mask
    draws = Draws(torch.arange(8))
    whole, half = (Degradation(TYPES, strength=s)(image, mask, draws) for s in (1.0, 0.5))
    assert torch.allclose(half, (image + whole) / 2, atol=1e-6)


def test_size_hardly_matters() -> None:
    """Lengths scale with the photograph: degrade at 256 and reduce, or reduce and degrade."""
    phantom = draw_phantom(4, 256)
    large = phantom.image[None].float() / 255
    mask = torch.ones(1, 1, 256, 256)
    small = torch.nn.functional.avg_pool2d(large, 2)
    for name in ("illumination", "spots"):
        degrade = Degradation((name,))
        draws = Draws(torch.tensor([9]))
        reduced = torch.nn.functional.avg_pool2d(degrade(large, mask, draws), 2)
        direct = degrade(small, mask[..., ::2, ::2], draws)
        assert float((reduced - direct).square().mean()) < 10**-3.5, name


def test_autocast_changes_nothing(batch: tuple[Tensor, Tensor]) -> None:
    image, mask = batch
    plain = Degradation()(image, mask, Draws(torch.arange(8)))
    with torch.autocast("cpu", torch.bfloat16):
        cast = Degradation()(image, mask, Draws(torch.arange(8)))
    assert cast.dtype == torch.float32
    assert torch.equal(cast, plain)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_draws_the_same(batch: tuple[Tensor, Tensor]) -> None:
    image, mask = batch
    here = Degradation()(image, mask, Draws(torch.arange(8)))
    there = Degradation()(image.cuda(), mask.cuda(), Draws(torch.arange(8).cuda()))
    assert torch.allclose(here, there.cpu(), atol=1e-4)


def test_bad_input_is_refused(batch: tuple[Tensor, Tensor]) -> None:
    image, mask = batch
    draws = Draws(torch.arange(8))
    degrade = Degradation()
    with pytest.raises(TypeError, match="float"):
        degrade((image * 255).to(torch.uint8), mask, draws)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        degrade(image * 2, mask, draws)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        degrade(image * float("nan"), mask, draws)
    with pytest.raises(ValueError, match="does not fit"):
        degrade(image, mask[..., :32, :], draws)
    with pytest.raises(ValueError, match="empty"):
        degrade(image, mask * 0, draws)
    with pytest.raises(ValueError, match="unknown degradation type"):
        Degradation(("fog",))
    with pytest.raises(ValueError, match="strength"):
        Degradation(strength=1.5)


def test_uniform_draws_are_uniform_and_independent() -> None:
    draws = Draws(torch.arange(20_000))
    a, b = draws.uniform("a", 0.0, 1.0), draws.uniform("b", 0.0, 1.0)
    for numbers in (a, b, draws.uniform("c", 0.0, 1.0, 4)[:, 2]):
        histogram = torch.histc(numbers, 10, 0, 1)
        assert float((histogram - 2000).abs().max()) < 200
    assert abs(float(torch.corrcoef(torch.stack([a, b]))[0, 1])) < 0.03
    assert abs(float(torch.corrcoef(torch.stack([a[1:], a[:-1]]))[0, 1])) < 0.03
    under = draws.under("view").uniform("a", 0.0, 1.0)
    assert abs(float(torch.corrcoef(torch.stack([a, under]))[0, 1])) < 0.03
