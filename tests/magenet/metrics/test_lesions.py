"""Lesions are compared with the retina around them, and with nothing else."""

import pytest
import torch
from scipy.ndimage import distance_transform_edt
from scipy.stats import mannwhitneyu
from torch import Tensor

from magenet.metrics import detectability, lesion_contrast, preservation


@pytest.fixture
def scene() -> tuple[Tensor, Tensor, Tensor]:
    """Three noisy photographs with two dark lesions each, one of them at the field's edge."""
    lesion = torch.zeros(3, 1, 48, 48)
    lesion[..., 12:16, 14:20] = lesion[..., 30:34, 38:44] = 1.0
    mask = torch.zeros_like(lesion)
    mask[..., 4:44, 4:42] = 1.0
    strength = torch.tensor([0.02, 0.1, 0.2])[:, None, None, None]
    green = 0.5 + 0.05 * torch.randn(3, 1, 48, 48) - strength * lesion
    return torch.cat([torch.rand_like(green), green, torch.rand_like(green)], dim=1), lesion, mask


def slow(image: Tensor, lesion: Tensor, mask: Tensor, dark: bool, ring: int) -> tuple[float, float]:
    green, inside, field = image[1].double().numpy(), lesion[0].numpy() > 0, mask[0].numpy() > 0
    inside = inside & field
    around = (distance_transform_edt(~inside) <= ring) & ~inside & field
    contrast = abs(green[inside].mean() - green[around].mean()) / green[around].std()
    pair = (green[around], green[inside]) if dark else (green[inside], green[around])
    area = mannwhitneyu(*pair).statistic / (inside.sum() * around.sum())
    return contrast, float(area)


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("ring", [3, 8])
def test_equals_an_independent_implementation(
    scene: tuple[Tensor, Tensor, Tensor], dark: bool, ring: int
) -> None:
    image, lesion, mask = scene
    expected = [slow(*one, dark, ring) for one in zip(image, lesion, mask, strict=True)]
    contrast = lesion_contrast(image, lesion, mask, ring=ring)
    area = detectability(image, lesion, mask, dark=dark, ring=ring)
    assert contrast.tolist() == pytest.approx([one[0] for one in expected], rel=1e-4)
    assert area.tolist() == pytest.approx([one[1] for one in expected], abs=1e-5)
    alone = [lesion_contrast(*(x[i : i + 1] for x in scene), ring=ring) for i in range(3)]
    assert torch.equal(torch.cat(alone), contrast)
    alone = [detectability(*(x[i : i + 1] for x in scene), dark, ring) for i in range(3)]
    assert torch.equal(torch.cat(alone), area)


def test_only_lesions_and_rings_inside_the_field_count(
    scene: tuple[Tensor, Tensor, Tensor],
) -> None:
    image, lesion, mask = scene
    changed = torch.where(mask > 0, image, torch.nan)
    changed[:, ::2] = 0.0  # red and blue
    changed[:, 1:2, 4:7, 30:] = 1.0  # inside the field, but far from every lesion
    elsewhere = torch.where(mask > 0, lesion, 1 - lesion)
    for score in (lesion_contrast, lambda *x: detectability(*x, dark=True)):
        assert torch.equal(score(changed, elsewhere, mask), score(image, lesion, mask))


def test_other_lesions_left_out_of_the_mask_do_not_count(
    scene: tuple[Tensor, Tensor, Tensor],
) -> None:
    image, lesion, mask = scene
    other = torch.zeros_like(mask)
    other[..., 12:16, 22:25] = 1.0  # in the ring
    bright = torch.where(other > 0, 1.0, image)
    for score in (lesion_contrast, lambda *x: detectability(*x, dark=True)):
        assert torch.equal(score(bright, lesion, mask - other), score(image, lesion, mask - other))
        assert not torch.equal(score(bright, lesion, mask), score(image, lesion, mask))


def test_a_stronger_lesion_scores_more_and_light_and_dark_are_told_apart(
    scene: tuple[Tensor, Tensor, Tensor],
) -> None:
    contrast, dark = lesion_contrast(*scene), detectability(*scene, dark=True)
    assert contrast.tolist() == sorted(contrast.tolist())
    assert dark.tolist() == sorted(dark.tolist())
    assert float(dark[2]) > 0.98
    assert torch.allclose(detectability(*scene, dark=False), 1 - dark, atol=1e-6)
    image, lesion, mask = scene
    assert torch.allclose(detectability(1 - image, lesion, mask, dark=False), dark, atol=2e-3)
    assert torch.allclose(lesion_contrast(1 - image, lesion, mask), contrast, rtol=1e-3)


def test_a_lesion_painted_over_is_gone(scene: tuple[Tensor, Tensor, Tensor]) -> None:
    _, lesion, mask = scene
    flat = torch.full((3, 3, 48, 48), 0.5)
    assert lesion_contrast(flat, lesion, mask).tolist() == pytest.approx([0.0] * 3, abs=1e-6)
    assert detectability(flat, lesion, mask, dark=True).tolist() == [0.5] * 3
    step = flat - 0.1 * lesion  # no noise at all: that of rounding, and not infinity
    assert lesion_contrast(step, lesion, mask).tolist() == pytest.approx(
        [0.1 * 255 * 12**0.5] * 3, rel=1e-4
    )


def test_without_a_lesion_or_a_ring_nothing_is_said(scene: tuple[Tensor, Tensor, Tensor]) -> None:
    image, lesion, mask = scene
    outside = lesion * (1 - mask)
    for where, field in ((0 * lesion, mask), (outside, mask), (lesion, lesion), (lesion, 0 * mask)):
        assert bool(lesion_contrast(image, where, field).isnan().all())
        assert bool(detectability(image, where, field, dark=True).isnan().all())
    with pytest.raises(ValueError, match="one shape"):
        lesion_contrast(image, lesion[:1], mask)


def test_preservation_is_what_is_left_above_chance() -> None:
    before = torch.tensor([2.0, 2.0, 0.0, torch.nan, 2.0])
    after = torch.tensor([1.0, 3.0, 1.0, 1.0, torch.nan])
    nan = pytest.approx([0.5, 1.5] + [float("nan")] * 3, nan_ok=True)
    assert preservation(before, after).tolist() == nan
    area = preservation(torch.tensor([0.9, 0.9, 0.5]), torch.tensor([0.5, 0.9, 0.9]), chance=0.5)
    assert area.tolist() == pytest.approx([0.0, 1.0, float("nan")], nan_ok=True)
    hardly = preservation(torch.tensor([0.51, 0.56]), torch.tensor([0.9, 0.62]), chance=0.5)
    assert hardly.tolist() == pytest.approx([float("nan"), 2.0], nan_ok=True), "a ratio of noise"
