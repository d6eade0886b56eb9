"""Local contrast follows detail and ignores brightness."""

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter
from torch.nn import functional

from magenet.metrics import local_contrast, vessel_clarity


def test_local_contrast_sees_detail_but_not_brightness() -> None:
    flat = torch.full((1, 3, 64, 64), 0.4)
    mask = torch.ones(1, 1, 64, 64)
    detail = flat + 0.1 * torch.randn(1, 3, 64, 64)
    assert float(local_contrast(flat, mask)) == pytest.approx(0.0, abs=1e-4)
    once, twice = (float(local_contrast(factor * detail, mask)) for factor in (0.5, 1.0))
    assert once == pytest.approx(twice, rel=1e-4)
    assert twice > 0.2


@pytest.mark.parametrize(("height", "width", "window"), [(40, 48, 5), (96, 155, 9)])
def test_equals_an_independent_implementation(height: int, width: int, window: int) -> None:
    image = torch.rand(1, 3, height, width)
    mask = torch.ones(1, 1, height, width)
    mask[..., :9, :] = mask[..., -13:] = 0.0
    green, inside = image[0, 1].double().numpy(), mask[0, 0].numpy() > 0
    sums = [
        uniform_filter(plane, window, mode="constant") for plane in (green * inside, inside * 1.0)
    ]
    away = (green - sums[0] / sums[1].clip(min=1e-3))[inside]
    expected = np.sqrt((away**2).mean()) / green[inside].mean()
    assert float(local_contrast(image, mask)) == pytest.approx(expected, rel=1e-4)


def test_a_black_photograph_has_no_contrast() -> None:
    assert float(local_contrast(torch.zeros(1, 3, 32, 32), torch.ones(1, 1, 32, 32))) == 0.0


def test_clarity_rises_with_detail_and_not_with_brightness_colour_or_noise() -> None:
    torch.manual_seed(0)
    detail = functional.interpolate(torch.randn(1, 1, 64, 64), (256, 256), mode="bicubic")
    mask = torch.ones(1, 1, 256, 256)
    image = (0.4 + 0.04 * detail).expand(-1, 3, -1, -1)
    clear = float(vessel_clarity(image, mask))
    assert float(vessel_clarity(0.4 + 0.5 * (image - 0.4), mask)) < clear - 0.5
    assert float(vessel_clarity(0.5 * image, mask)) == pytest.approx(clear, abs=0.1)
    tinted = image * torch.tensor([1.3, 1.0, 0.4])[:, None, None]
    assert float(vessel_clarity(tinted, mask)) == pytest.approx(clear, abs=1e-6)
    noise = 0.05 * torch.randn(1, 3, 256, 256)
    assert float(vessel_clarity(0.4 + noise, mask)) < clear - 1.0
    assert float(vessel_clarity(image + noise, mask)) < clear + 0.1


def test_clarity_ignores_the_edge_of_the_field() -> None:
    mask = torch.zeros(1, 1, 256, 256)
    mask[..., 20:-20, 20:-20] = 1.0
    flat = 0.4 * mask.expand(-1, 3, -1, -1)
    whole = torch.full((1, 3, 256, 256), 0.4)
    assert float(vessel_clarity(flat, mask)) == pytest.approx(
        float(vessel_clarity(whole, torch.ones_like(mask))), abs=1e-3
    )
