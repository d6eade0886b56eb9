"""PSNR, SSIM and MS-SSIM against independent implementations, per batch, accumulated and merged."""

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_erosion, gaussian_filter
from torch import Tensor
from torch.nn.functional import avg_pool2d
from torchmetrics import Metric
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from magenet.metrics import MaskedPSNR, MaskedSSIM, masked_ms_ssim, masked_psnr, masked_ssim

GENERATOR = torch.Generator().manual_seed(0)
CLEAN = torch.rand(6, 3, 40, 44, generator=GENERATOR)
NOISE = torch.linspace(0.01, 0.3, 6)[:, None, None, None]
IMAGE = (CLEAN + NOISE * torch.randn(6, 3, 40, 44, generator=GENERATOR)).clamp(0, 1)
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


@pytest.mark.parametrize(
    ("fast", "slow", "metric"),
    [
        (masked_psnr, slow_psnr, MaskedPSNR),
        (masked_ssim, slow_ssim, MaskedSSIM),
    ],
)
def test_equals_an_independent_implementation(fast, slow, metric: type[Metric]) -> None:  # type: ignore[no-untyped-def]
    expected = [slow(i, c, m) for i, c, m in zip(IMAGE, CLEAN, MASK, strict=True)]
    assert fast(IMAGE, CLEAN, MASK).tolist() == pytest.approx(expected, rel=2e-4)

    accumulated = metric()
    for part in (slice(0, 1), slice(1, 4), slice(4, 6)):  # uneven: a mean of means would differ
        accumulated.update(IMAGE[part], CLEAN[part], MASK[part])
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


WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SIZE = 290  # not a multiple of 16: every scale leaves something over


def textured(count: int, size: int, seed: int) -> Tensor:
    """Detail at every scale, so that each counts."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(count, 3, size, size)
    for cells in (5, 18, 72, size):
        rough = torch.rand(count, 3, cells, cells, generator=generator)
        total += torch.nn.functional.interpolate(rough, size=size, mode="bilinear")
    return total / 4


def disc(size: int, diameter: float) -> Tensor:
    axis = torch.arange(size) + 0.5 - size / 2
    return ((axis[:, None].square() + axis.square()).sqrt() <= diameter / 2).float()[None, None]


Large = tuple[Tensor, Tensor, Tensor]


@pytest.fixture(scope="module")
def large() -> Large:
    """Photographs, their references and fields of view, large enough for five scales."""
    clean, change = textured(3, SIZE, 0), textured(3, SIZE, 1) - 0.5
    image = clean + torch.tensor([0.3, 0.6, 0.9])[:, None, None, None] * change
    mask = torch.zeros(3, 1, SIZE, SIZE)
    mask[:1], mask[1] = disc(SIZE, SIZE), 1.0
    mask[2, 0, 31:250, 64:261] = 1.0
    return image, clean, mask


def slow_ms_ssim(image: Tensor, clean: Tensor, mask: Tensor) -> float:
    """From the formulae, with scipy's Gaussian and erosion and numpy's means."""
    x, y, inside = image.double().numpy(), clean.double().numpy(), mask[0].bool().numpy()

    def mean(value: np.ndarray) -> np.ndarray:
        return gaussian_filter(value, 1.5, truncate=5 / 1.5, axes=(1, 2))

    def blocks(value: np.ndarray) -> np.ndarray:
        height, width = (n // 2 for n in value.shape[-2:])
        value = value[..., : 2 * height, : 2 * width]
        return value.reshape(*value.shape[:-2], height, 2, width, 2)

    result = 1.0
    for scale, weight in enumerate(WEIGHTS):
        mx, my = mean(x), mean(y)
        value = (2 * (mean(x * y) - mx * my) + 9e-4) / (
            mean(x * x) - mx**2 + mean(y * y) - my**2 + 9e-4
        )
        if scale == 4:
            value = value * (2 * mx * my + 1e-4) / (mx**2 + my**2 + 1e-4)
        whole = binary_erosion(inside, np.ones((11, 11)))  # beyond the border is outside
        result *= max(0.0, value[:, whole].mean()) ** weight
        x, y = blocks(x).mean(axis=(-3, -1)), blocks(y).mean(axis=(-3, -1))
        inside = blocks(inside).all(axis=(-3, -1))
    return float(result)


def test_ms_ssim_equals_an_independent_implementation(large: Large) -> None:
    image, clean, mask = large
    expected = [slow_ms_ssim(i, c, m) for i, c, m in zip(image, clean, mask, strict=True)]
    assert max(expected) < 0.99
    assert min(expected) > 0.2
    assert masked_ms_ssim(image, clean, mask).tolist() == pytest.approx(expected, rel=2e-4)


def test_ms_ssim_equals_torchmetrics_without_a_surround(large: Large) -> None:
    first, reference, mask = large
    full = torch.ones_like(mask)
    ours = masked_ms_ssim(first, reference, full)
    # torchmetrics counts reflected borders at the coarsest scale, and only there: composed of its
    # own single-scale terms without them it is equal, as a whole it is close ...
    image, clean, expected = first, reference, torch.ones(3)
    for scale, weight in enumerate(WEIGHTS):
        pair = {"preds": image, "target": clean, "data_range": 1.0, "reduction": "none"}
        if scale < 4:
            _, values = structural_similarity_index_measure(
                **pair, return_contrast_sensitivity=True
            )
        else:
            _, full_map = structural_similarity_index_measure(**pair, return_full_image=True)
            values = full_map[..., 5:-5, 5:-5].mean(dim=(1, 2, 3))
        expected = expected * values.relu() ** weight
        image, clean = avg_pool2d(image, 2), avg_pool2d(clean, 2)
    assert torch.allclose(ours, expected, rtol=1e-4)

    def theirs(image: Tensor) -> Tensor:
        return multiscale_structural_similarity_index_measure(
            image, reference[..., :288, :288], data_range=1.0, reduction="none"
        )

    assert torch.allclose(ours, theirs(first[..., :288, :288]), atol=0.02)
    # ... and it is equal for photographs that do not differ at the coarsest scale.
    noise = 0.2 * torch.randn(3, 3, 288, 288)
    noise -= avg_pool2d(noise, 16).repeat_interleave(16, 2).repeat_interleave(16, 3)
    noisy, full = reference[..., :288, :288] + noise, full[..., :288, :288]
    ours = masked_ms_ssim(noisy, reference[..., :288, :288], full)
    assert float(ours.max()) < 0.9
    assert torch.allclose(ours, theirs(noisy), rtol=1e-4)


def test_ms_ssim_does_not_count_what_lies_outside_the_field(large: Large) -> None:
    image, clean, mask = large
    changed = torch.where(mask.bool(), image, 1 - image)
    assert not torch.equal(changed, image)
    assert torch.equal(
        masked_ms_ssim(changed, clean, mask),
        masked_ms_ssim(image, clean, mask),
    )


def test_identical_photographs_have_an_ms_ssim_of_one_and_negatives_zero(large: Large) -> None:
    _, clean, mask = large
    assert masked_ms_ssim(clean, clean, mask).tolist() == pytest.approx([1.0] * 3)
    assert masked_ms_ssim(1 - clean, clean, mask).tolist() == [0.0] * 3  # a root would give NaN


def test_too_small_for_ms_ssim_is_an_error_that_says_what_to_do(large: Large) -> None:
    image, clean, mask = large
    small = torch.rand(1, 3, 175, 300)
    with pytest.raises(
        ValueError, match="300x175 px is too small for five scales: score it at 176 px"
    ):
        masked_ms_ssim(small, small, torch.ones(1, 1, 175, 300))
    least = torch.rand(1, 3, 176, 176)
    assert float(masked_ms_ssim(least, least, torch.ones(1, 1, 176, 176))) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="no square of 176 px"):
        masked_ms_ssim(image[:1], clean[:1], disc(SIZE, 240))
    with pytest.raises(ValueError, match="empty"):
        masked_ms_ssim(image, clean, mask * 0)
    with pytest.raises(ValueError, match="cannot score"):
        masked_ms_ssim(image, clean, mask[..., 1:])
