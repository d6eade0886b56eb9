"""The area equals the Mann-Whitney statistic (Hanley and McNeil, Radiology 1982)."""

import pytest
import torch
from scipy.stats import mannwhitneyu
from torch import Tensor

from magenet.metrics.roc import roc_auc


def slow_area(score: Tensor, positive: Tensor, mask: Tensor) -> float:
    above, below = (score[classes & mask].double().numpy() for classes in (positive, ~positive))
    return float(mannwhitneyu(above, below).statistic / (len(above) * len(below)))


@pytest.mark.parametrize("levels", [4, 256, 2**24])
def test_equals_mann_whitney_with_and_without_ties(levels: int) -> None:
    score = (torch.rand(4, 1, 32, 36) * levels).floor() / levels
    positive = torch.rand(4, 1, 32, 36) < 0.6 * score + 0.1
    mask = torch.rand(4, 1, 32, 36) < torch.tensor([0.05, 0.3, 0.6, 1.1])[:, None, None, None]
    expected = [slow_area(*photograph) for photograph in zip(score, positive, mask, strict=True)]
    assert roc_auc(score, positive, mask).tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.filterwarnings("error")
def test_a_missing_class_is_nan() -> None:
    score = torch.rand(4, 1, 8, 8)
    positive = torch.zeros(4, 1, 8, 8, dtype=torch.bool)
    positive[0, ..., :4] = positive[1] = positive[3] = True
    mask = torch.ones_like(positive)
    mask[3] = False
    assert roc_auc(score, positive, mask).isnan().tolist() == [False, True, True, True]


def test_other_ranges_hardly_change_the_order() -> None:
    score = torch.rand(1, 1, 64, 64)
    positive, mask = torch.rand_like(score) < score, torch.ones(1, 1, 64, 64, dtype=torch.bool)
    beyond = roc_auc(1.02 * score - 0.01, positive, mask)
    assert float(beyond) == pytest.approx(float(roc_auc(score, positive, mask)), abs=1e-6)
