"""Gains are ratios inside the field: detail follows sharpness, contrast follows luminance."""

import pytest
import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor

from data_modules.datasets.phantom import draw_phantom
from magenet.metrics.gain import detail_and_contrast


def detail_gain(image: Tensor, original: Tensor, mask: Tensor) -> Tensor:
    return (
        detail_and_contrast(image, mask)["detail"] / detail_and_contrast(original, mask)["detail"]
    )


def contrast_gain(image: Tensor, original: Tensor, mask: Tensor) -> Tensor:
    return (
        detail_and_contrast(image, mask)["contrast"]
        / detail_and_contrast(original, mask)["contrast"]
    )


@pytest.fixture(scope="module")
def pair() -> tuple[Tensor, Tensor]:
    phantoms = [draw_phantom(seed, 256) for seed in range(3)]
    image = torch.stack([p.image for p in phantoms]).float() / 255
    return 0.6 * image, torch.stack([p.field.mask for p in phantoms]).float()


def test_contrast_gain_is_the_ratio_of_luminance_deviations(pair: tuple[Tensor, Tensor]) -> None:
    image, mask = pair
    factors = torch.tensor([0.5, 1.0, 1.5])[:, None, None, None]
    changed = factors * image.square()
    expected = []
    for one, other, where in zip(changed, image, mask[:, 0].bool(), strict=True):
        levels = [
            0.299 * picture[0] + 0.587 * picture[1] + 0.114 * picture[2] for picture in (one, other)
        ]
        expected.append(float(levels[0][where].std() / levels[1][where].std()))
    assert contrast_gain(changed, image, mask).tolist() == pytest.approx(expected, rel=1e-3)


def test_detail_gain_tells_fine_from_coarse(pair: tuple[Tensor, Tensor]) -> None:
    image, mask = pair
    assert detail_gain(1.5 * image, image, mask).tolist() == pytest.approx([1.5] * 3, rel=1e-3)
    soft = gaussian_blur2d(image * mask, (9, 9), (1.5, 1.5))
    soft = soft / gaussian_blur2d(mask, (9, 9), (1.5, 1.5)).clamp(min=1e-3)
    assert bool((detail_gain(soft, image, mask) < 0.6).all())
    assert bool((contrast_gain(soft, image, mask) - 1 < 0.05).all())
    twice = soft + 2 * (image - soft)  # unsharp masking
    assert bool((detail_gain(twice, image, mask) > 1.4).all())
    # Light that changes slowly is contrast and no detail.
    slope = torch.linspace(-0.2, 0.2, 256)
    assert detail_gain(image + slope, image, mask).tolist() == pytest.approx([1.0] * 3, abs=0.01)
    assert bool((contrast_gain(image + slope, image, mask) > 1.1).all())


@pytest.mark.parametrize("gain", [detail_gain, contrast_gain])
def test_gains_are_one_without_change_reciprocal_and_of_the_field_alone(
    gain, pair: tuple[Tensor, Tensor]
) -> None:  # type: ignore[no-untyped-def]
    image, mask = pair
    changed = image.sqrt() + 0.05 * torch.rand_like(image)
    assert gain(image, image, mask).tolist() == [1.0] * 3
    flat = torch.full_like(image, 0.4)
    for level in (0.0, 1.0):
        assert gain(level * flat, level * flat, mask).tolist() == pytest.approx([1.0] * 3)
    both, back = gain(changed, image, mask), gain(image, changed, mask)
    assert torch.allclose(both * back, torch.ones(3), rtol=1e-4)
    outside = torch.where(mask.bool(), changed, 1 - changed)
    assert torch.equal(gain(outside, image, mask), both)
