"""No score can be bettered by pixels that are not numbers, or by a mask without pixels."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from magenet.metrics import (
    centerline_dice,
    colour_difference,
    masked_dice,
    masked_psnr,
    masked_ssim,
    vessel_scores,
)

SIDE = 24

Score = Callable[[Tensor, Tensor, Tensor], Tensor]

SCORES: dict[str, tuple[Score, int]] = {
    "psnr": (masked_psnr, 3),
    "ssim": (masked_ssim, 3),
    "colour_difference": (lambda *given: -colour_difference(*given), 3),
    "dice": (masked_dice, 1),
    "centerline_dice": (centerline_dice, 1),
    **{
        f"vessel {name}": (lambda *given, name=name: vessel_scores(*given)[name], 1)
        for name in ("balanced_accuracy", "dice", "iou", "roc_auc")
    },
}
"""Scores of an image against a reference inside a mask, higher is better, and their channels."""


def score(of: Score, image: Tensor, reference: Tensor, mask: Tensor) -> float:
    """The score, or NaN if it is refused."""
    try:
        return float(of(image, reference, mask))
    except ValueError:
        return float("nan")


@pytest.mark.parametrize("name", SCORES)
@given(seed=st.integers(0, 1 << 30), count=st.integers(1, 40))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_no_score_is_bettered_by_what_is_no_number(name: str, seed: int, count: int) -> None:
    of, channels = SCORES[name]
    generator = torch.Generator().manual_seed(seed)
    image, reference = torch.rand(2, 1, channels, SIDE, SIDE, generator=generator)
    mask = torch.ones(1, 1, SIDE, SIDE)
    before = score(of, image, reference, mask)
    assert before == before, "a whole photograph has a score"
    broken = image.clone().flatten()
    broken[torch.randperm(broken.numel(), generator=generator)[:count]] = torch.nan
    after = score(of, broken.reshape(image.shape), reference, mask)
    assert not after > before + 1e-6, (before, after)


@pytest.mark.parametrize("name", SCORES)
@given(seed=st.integers(0, 1 << 30))
@settings(max_examples=5, deadline=None, derandomize=True)
def test_without_pixels_there_is_no_score(name: str, seed: int) -> None:
    of, channels = SCORES[name]
    generator = torch.Generator().manual_seed(seed)
    image, reference = torch.rand(2, 1, channels, SIDE, SIDE, generator=generator)
    after = score(of, image, reference, torch.zeros(1, 1, SIDE, SIDE))
    assert after != after or after == -float("inf"), after
