"""Five scales equal a slow implementation inside any field, and torchmetrics where it has none."""

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_erosion, gaussian_filter
from torch import Tensor
from torch.nn.functional import avg_pool2d
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from magenet.metrics import masked_ms_ssim

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


CLEAN = textured(3, SIZE, 0)
IMAGE = CLEAN + torch.tensor([0.3, 0.6, 0.9])[:, None, None, None] * (textured(3, SIZE, 1) - 0.5)
MASK = torch.cat([disc(SIZE, SIZE), torch.ones(1, 1, SIZE, SIZE), torch.zeros(1, 1, SIZE, SIZE)])
MASK[2, 0, 31:250, 64:261] = 1.0


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


def test_equals_an_independent_implementation() -> None:
    expected = [slow_ms_ssim(i, c, m) for i, c, m in zip(IMAGE, CLEAN, MASK, strict=True)]
    assert max(expected) < 0.99
    assert min(expected) > 0.2
    assert masked_ms_ssim(IMAGE, CLEAN, MASK).tolist() == pytest.approx(expected, rel=2e-4)


def test_equals_torchmetrics_without_a_surround() -> None:
    full = torch.ones_like(MASK)
    ours = masked_ms_ssim(IMAGE, CLEAN, full)
    # torchmetrics counts reflected borders at the coarsest scale, and only there: put together
    # from its own parts without them it is the same, as a whole it is near ...
    image, clean, expected = IMAGE, CLEAN, torch.ones(3)
    for scale, weight in enumerate(WEIGHTS):
        pair = {"preds": image, "target": clean, "data_range": 1.0, "reduction": "none"}
        if scale < 4:
            _, values = structural_similarity_index_measure(
                **pair, return_contrast_sensitivity=True
            )
        else:
            _, places = structural_similarity_index_measure(**pair, return_full_image=True)
            values = places[..., 5:-5, 5:-5].mean(dim=(1, 2, 3))
        expected = expected * values.relu() ** weight
        image, clean = avg_pool2d(image, 2), avg_pool2d(clean, 2)
    assert torch.allclose(ours, expected, rtol=1e-4)

    def theirs(image: Tensor) -> Tensor:
        return multiscale_structural_similarity_index_measure(
            image, CLEAN[..., :288, :288], data_range=1.0, reduction="none"
        )

    assert torch.allclose(ours, theirs(IMAGE[..., :288, :288]), atol=0.02)
    # ... and where photographs differ in nothing that the coarsest scale sees, it is equal.
    noise = 0.2 * torch.randn(3, 3, 288, 288)
    noise -= avg_pool2d(noise, 16).repeat_interleave(16, 2).repeat_interleave(16, 3)
    noisy, full = CLEAN[..., :288, :288] + noise, full[..., :288, :288]
    ours = masked_ms_ssim(noisy, CLEAN[..., :288, :288], full)
    assert float(ours.max()) < 0.9
    assert torch.allclose(ours, theirs(noisy), rtol=1e-4)


def test_what_lies_outside_the_field_does_not_count() -> None:
    changed = torch.where(MASK.bool(), IMAGE, 1 - IMAGE)
    assert not torch.equal(changed, IMAGE)
    assert torch.equal(masked_ms_ssim(changed, CLEAN, MASK), masked_ms_ssim(IMAGE, CLEAN, MASK))


def test_identical_photographs_score_one_and_negatives_zero() -> None:
    assert masked_ms_ssim(CLEAN, CLEAN, MASK).tolist() == pytest.approx([1.0] * 3)
    assert masked_ms_ssim(1 - CLEAN, CLEAN, MASK).tolist() == [0.0] * 3  # a root would give NaN


def test_too_small_is_an_error_that_says_what_to_do() -> None:
    small = torch.rand(1, 3, 175, 300)
    with pytest.raises(
        ValueError, match="300x175 px is too small for five scales: score it at 176 px"
    ):
        masked_ms_ssim(small, small, torch.ones(1, 1, 175, 300))
    least = torch.rand(1, 3, 176, 176)
    assert float(masked_ms_ssim(least, least, torch.ones(1, 1, 176, 176))) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="no square of 176 px"):
        masked_ms_ssim(IMAGE[:1], CLEAN[:1], disc(SIZE, 240))
    with pytest.raises(ValueError, match="empty"):
        masked_ms_ssim(IMAGE, CLEAN, MASK * 0)
    with pytest.raises(ValueError, match="cannot score"):
        masked_ms_ssim(IMAGE, CLEAN, MASK[..., 1:])
