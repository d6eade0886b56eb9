"""Blurs in frequency inside the field, in frames of any shape."""

import math

import pytest
import torch
from torch import Tensor

from magenet.degradation.cofe.blur import _blur_in_frequency, _box
from magenet.degradation.frame import Frame
from magenet.degradation.frequency import fast_length, filtered


def field(height: int, width: int) -> Tensor:
    mask = torch.zeros(2, 1, height, width)
    mask[0, :, 10:50, 12:52] = 1.0
    mask[1, :, 5:35, 3:61] = 1.0
    return mask


def wide(x: Tensor, y: Tensor) -> Tensor:
    """A Gaussian, wider along x than along y, in field diameters."""
    return torch.exp(-2 * math.pi**2 * ((0.05 * x).square() + (0.02 * y).square()))


def test_a_turned_photograph_gives_the_turned_blur() -> None:
    mask, image = field(60, 80), torch.rand(2, 3, 60, 80)
    upright = filtered(image, Frame(mask), wide)
    turned = filtered(image.mT, Frame(mask.mT), lambda x, y: wide(y, x))
    torch.testing.assert_close(turned.mT, upright)


def test_a_blur_has_its_width_in_field_diameters_and_sees_no_surround() -> None:
    mask = field(60, 80)
    flat = torch.full((2, 3, 60, 80), 0.6)
    flat[mask.expand_as(flat) == 0] = 9.0
    inside = mask.expand_as(flat) > 0
    blurred = filtered(flat, Frame(mask), wide)[inside]
    torch.testing.assert_close(blurred, torch.full_like(blurred, 0.6))
    dot, whole = torch.zeros(1, 3, 200, 200), torch.ones(1, 1, 200, 200)
    dot[..., 100, 100] = 1.0
    spread = filtered(dot, Frame(whole), wide)[0, 1]
    offsets = torch.arange(200.0) - 100
    for profile, sigma in ((spread.sum(dim=0), 0.05), (spread.sum(dim=1), 0.02)):
        variance = float((profile * offsets.square()).sum() / profile.sum())
        assert variance == pytest.approx((sigma * 200) ** 2, rel=0.02)


def test_lengths_are_the_next_without_a_prime_above_five() -> None:
    smooth = [n for n in range(1, 400) if all(n % p for p in range(7, n + 1) if is_prime(p))]
    for length in range(1, 361):
        assert fast_length(length) == next(n for n in smooth if n >= length)


def is_prime(number: int) -> bool:
    return all(number % other for other in range(2, number))


@pytest.mark.parametrize("variance", [0.3, 1.0, 2.0, 2.9, 5.0])
def test_the_boxes_of_cofe_nets_blur_have_its_variance(variance: float) -> None:
    taps = _box(torch.tensor([variance, 0.5]), 1.5)[0]
    offsets = torch.arange(len(taps)) - len(taps) // 2
    assert float((taps * offsets.square()).sum()) == pytest.approx(variance, rel=1e-4)
    assert float(taps.sum()) == pytest.approx(1.0)
    assert torch.allclose(taps, taps.flip(0))
    line = torch.zeros(1, 3, 256, 256, dtype=torch.float64)  # the squares magnify what is rounded
    line[..., 128] = 1.0
    profile = _blur_in_frequency(line, 3, torch.tensor([variance]).sqrt())[0, 1, 7]
    offsets = torch.arange(256) - 128
    # At half the reference size: a quarter of the variance.
    assert float((profile * offsets.square()).sum()) == pytest.approx(variance / 4, rel=0.02)
