"""The distance is scipy's matrix root's, and the closed form where there is one."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch.nn.functional import avg_pool2d

from magenet.metrics import frechet_distance
from magenet.models import Grader


def slow_distance(one: np.ndarray, other: np.ndarray) -> float:
    a, b = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    apart = one.mean(axis=0) - other.mean(axis=0)
    return float(apart @ apart + np.trace(a + b - 2 * np.real(sqrtm(a @ b))))


@pytest.mark.parametrize(("rows", "others"), [(200, 150), (40, 60)])
def test_equals_scipys_matrix_root(rows: int, others: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    mix = torch.randn(12, 12, dtype=torch.float64, generator=generator)
    one = torch.randn(rows, 12, dtype=torch.float64, generator=generator) @ mix + 0.5
    other = torch.rand(others, 12, dtype=torch.float64, generator=generator) @ mix.T
    expected = slow_distance(one.numpy(), other.numpy())
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(other, one) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(one.float(), other.float()) == pytest.approx(expected, rel=1e-4)


def test_by_our_own_grader_blur_is_farther_than_another_draw() -> None:
    torch.manual_seed(0)
    grader = Grader(classes=3, size=64, widths=[4, 4]).eval()
    one, other = torch.rand(40, 3, 64, 64), torch.rand(40, 3, 64, 64)
    with torch.no_grad():
        features = [grader.features(x) for x in (one, other, avg_pool2d(other, 3, 1, 1))]
    assert frechet_distance(*features[:2]) < 0.1 * frechet_distance(features[0], features[2])


def test_one_feature_has_a_closed_form() -> None:
    one, other = torch.randn(50, 1) * 3 + 1, torch.randn(80, 1)
    expected = (one.mean() - other.mean()) ** 2 + (one.std() - other.std()) ** 2
    assert frechet_distance(one, other) == pytest.approx(float(expected), rel=1e-4)


def test_fewer_rows_than_features_equals_the_nuclear_norm() -> None:
    """Singular covariances, where a general matrix root fails."""
    one, other = torch.randn(6, 40).double(), torch.randn(9, 40).double() + 1
    a, b = (x - x.mean(dim=0) for x in (one, other))
    a, b = a / len(a[1:]) ** 0.5, b / len(b[1:]) ** 0.5
    shared = torch.linalg.svdvals(a @ b.mT).sum()
    apart = (one.mean(dim=0) - other.mean(dim=0)).square().sum()
    expected = apart + a.square().sum() + b.square().sum() - 2 * shared
    assert frechet_distance(one, other) == pytest.approx(float(expected), rel=1e-5)


def test_alike_is_zero_and_rows_have_no_order() -> None:
    one = torch.randn(30, 8)
    assert frechet_distance(one, one.flip(0)) == pytest.approx(0.0, abs=1e-5)
    assert frechet_distance(one + 2, one) == pytest.approx(8 * 4.0, rel=1e-5)


def test_few_rows_of_the_same_kind_seem_apart() -> None:
    """The bias that the docstring warns of."""
    draws = torch.randn(2, 2000, 16)
    few, many = (frechet_distance(draws[0, :n], draws[1, :n]) for n in (20, 2000))
    assert few > 20 * many > 0


def test_too_little_is_an_error() -> None:
    with pytest.raises(ValueError, match="two rows"):
        frechet_distance(torch.rand(1, 4), torch.rand(5, 4))
    with pytest.raises(ValueError, match="cannot compare"):
        frechet_distance(torch.rand(5, 3), torch.rand(5, 4))
