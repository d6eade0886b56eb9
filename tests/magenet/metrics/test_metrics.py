"""Each metric against an independent implementation, per batch, accumulated and merged."""

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_erosion, gaussian_filter
from torch import Tensor
from torchmetrics import Metric

from magenet.metrics import (
    MaskedDice,
    MaskedPSNR,
    MaskedSSIM,
    local_contrast,
    masked_dice,
    masked_psnr,
    masked_ssim,
)

CLEAN = torch.rand(6, 3, 40, 44)
NOISE = torch.linspace(0.01, 0.3, 6)[:, None, None, None]
IMAGE = (CLEAN + NOISE * torch.randn(6, 3, 40, 44)).clamp(0, 1)
MASK = torch.zeros(6, 1, 40, 44)
MASK[..., 5:36, 4:40] = 1.0


def slow_psnr(image: Tensor, clean: Tensor, mask: Tensor) -> float:
    inside = mask[0].bool().numpy()
    difference = (image.double() - clean.double()).numpy()[:, inside]
    return float(10 * np.log10(1 / (difference**2).mean()))


def slow_ssim(image: Tensor, clean: Tensor, mask: Tensor) -> float:
    """SSIM from its formula with scipy's Gaussian: 11 taps, sigma 1.5."""
    inside = binary_erosion(mask[0].bool().numpy(), np.ones((11, 11)))

    def mean(x: np.ndarray) -> np.ndarray:
        return gaussian_filter(x, 1.5, truncate=5 / 1.5, axes=(0, 1))

    values = []
    for x, y in zip(image.double().numpy(), clean.double().numpy(), strict=True):
        mx, my = mean(x), mean(y)
        vx, vy, c = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
        value = ((2 * mx * my + 1e-4) * (2 * c + 9e-4)) / (
            (mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4)
        )
        values.append(value[inside].mean())
    return float(np.mean(values))


def slow_dice(probability: Tensor, truth: Tensor, mask: Tensor) -> float:
    inside = mask[0].bool()
    a, b = probability[0][inside] >= 0.5, truth[0][inside] >= 0.5
    return 2 * int((a & b).sum()) / max(1, int(a.sum() + b.sum()))


@pytest.mark.parametrize(
    ("fast", "slow", "metric"),
    [
        (masked_psnr, slow_psnr, MaskedPSNR),
        (masked_ssim, slow_ssim, MaskedSSIM),
        (masked_dice, slow_dice, MaskedDice),
    ],
)
def test_equals_an_independent_implementation(fast, slow, metric: type[Metric]) -> None:  # type: ignore[no-untyped-def]
    image, clean = (IMAGE[:, :1], CLEAN[:, :1]) if metric is MaskedDice else (IMAGE, CLEAN)
    expected = [slow(i, c, m) for i, c, m in zip(image, clean, MASK, strict=True)]
    assert fast(image, clean, MASK).tolist() == pytest.approx(expected, rel=2e-4)

    accumulated = metric()
    for part in (slice(0, 1), slice(1, 4), slice(4, 6)):  # uneven: a mean of means would differ
        accumulated.update(image[part], clean[part], MASK[part])
    assert float(accumulated.compute()) == pytest.approx(np.mean(expected), rel=2e-4)
    assert not accumulated.state_dict()
    assert accumulated.metric_state.keys() == {"total", "count"}


def test_what_lies_outside_the_field_does_not_count() -> None:
    changed = torch.where(MASK.bool(), IMAGE, 1 - IMAGE)
    assert torch.equal(masked_psnr(changed, CLEAN, MASK), masked_psnr(IMAGE, CLEAN, MASK))
    assert torch.allclose(masked_ssim(changed, CLEAN, MASK), masked_ssim(IMAGE, CLEAN, MASK))


def test_identical_photographs_score_the_cap_and_not_infinity() -> None:
    assert masked_psnr(CLEAN, CLEAN, MASK).tolist() == [60.0] * 6
    assert masked_ssim(CLEAN, CLEAN, MASK).tolist() == pytest.approx([1.0] * 6)


def test_nothing_to_score_is_an_error_and_not_zero() -> None:
    for metric in (masked_psnr, masked_ssim):
        with pytest.raises(ValueError, match="empty"):
            metric(IMAGE, CLEAN, MASK * 0)
        with pytest.raises(ValueError, match="cannot score"):
            metric(IMAGE, CLEAN, MASK[..., 1:])
    small = torch.zeros_like(MASK)
    small[..., 5:10, 5:10] = 1.0
    with pytest.raises(ValueError, match="too small"):
        masked_ssim(IMAGE, CLEAN, small)


def test_local_contrast_sees_detail_but_not_brightness() -> None:
    flat = torch.full((1, 3, 64, 64), 0.4)
    mask = torch.ones(1, 1, 64, 64)
    detail = flat + 0.1 * torch.randn(1, 3, 64, 64)
    assert float(local_contrast(flat, mask)) == pytest.approx(0.0, abs=1e-4)
    once, twice = (float(local_contrast(factor * detail, mask)) for factor in (0.5, 1.0))
    assert once == pytest.approx(twice, rel=1e-4)
    assert twice > 0.2
