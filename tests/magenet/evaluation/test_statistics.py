"""Intervals and tests resample patients, not photographs."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import permutation_test

from magenet.evaluation.statistics import bootstrap_interval, gap_closed, paired_comparison


def test_the_interval_equals_a_slow_bootstrap() -> None:
    generator = np.random.default_rng(3)
    groups = np.repeat(["a", "b", "c", "d", "e", "f"], [1, 2, 3, 1, 4, 2])
    values = generator.normal(size=13)
    means = []
    for _ in range(20_000):
        drawn = generator.choice(np.unique(groups), size=6)
        means.append(np.concatenate([values[groups == name] for name in drawn]).mean())
    mean, low, high = bootstrap_interval(values, groups, level=0.9, draws=20_000)
    assert mean == pytest.approx(values.mean())
    assert (low, high) == pytest.approx(np.quantile(means, [0.05, 0.95]), abs=0.03)


def test_the_interval_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for seed in range(150):
        levels = generator.normal(size=40)  # patients differ, their two eyes hardly
        values = np.repeat(levels, 2) + 0.1 * generator.normal(size=80)
        _, low, high = bootstrap_interval(values, np.repeat(np.arange(40), 2), draws=400, seed=seed)
        covered += low <= 0 <= high
    assert 0.88 <= covered / 150 <= 0.99  # photographs as units: about 0.83


def test_photographs_of_one_patient_are_not_independent() -> None:
    values = np.random.default_rng(1).normal(size=20)
    once = bootstrap_interval(values, np.arange(20))
    copied = bootstrap_interval(np.repeat(values, 9), np.repeat(np.arange(20), 9))
    assert copied == pytest.approx(once), "nine copies of a photograph add nothing"
    independent = bootstrap_interval(np.repeat(values, 9), np.arange(180))
    assert independent.high - independent.low < 0.5 * (copied.high - copied.low)


def test_the_interval_is_deterministic_and_leaves_out_nan() -> None:
    values, groups = np.random.default_rng(2).normal(size=12), np.repeat(np.arange(6), 2)
    assert bootstrap_interval(values, groups) == bootstrap_interval(values, groups)
    assert bootstrap_interval(values, groups) != bootstrap_interval(values, groups, seed=1)
    gaps = np.concatenate([values, [math.nan] * 3])
    more = np.concatenate([groups, [0, 7, 7]])
    assert bootstrap_interval(gaps, more) == bootstrap_interval(values, groups)
    wide, narrow = (bootstrap_interval(values, groups, level=level) for level in (0.95, 0.5))
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high


@pytest.mark.parametrize(
    ("values", "groups"),
    [([], []), ([1.0, 2.0], ["a", "a"]), ([1.0, math.nan], ["a", "b"])],
)
def test_fewer_than_two_patients_are_an_error(values: list[float], groups: list[str]) -> None:
    with pytest.raises(ValueError, match="needs two"):
        bootstrap_interval(values, groups)
    with pytest.raises(ValueError, match="needs two"):
        paired_comparison(values, [0.0] * len(values), groups)


def test_lengths_must_fit() -> None:
    with pytest.raises(ValueError, match="cannot group"):
        bootstrap_interval([1.0, 2.0, 3.0], ["a", "b"])
    with pytest.raises(ValueError, match="cannot pair"):
        paired_comparison([1.0, 2.0], [1.0], ["a", "b"])


def test_the_permutation_test_is_exact_for_few_patients() -> None:
    generator = np.random.default_rng(5)
    one, other = generator.normal(size=(2, 9)) + np.array([[0.6], [0.0]])
    result = paired_comparison(one, other, np.arange(9))
    wanted = permutation_test(
        (one, other), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    assert result.p == pytest.approx(wanted.pvalue)
    assert result.difference == pytest.approx((one - other).mean())
    assert (result.difference, result.low, result.high) == bootstrap_interval(
        one - other, np.arange(9)
    )


def test_signs_flip_by_patient_with_all_photographs() -> None:
    one = np.array([0.5, 0.4, 0.9, 0.3, 0.1, 0.6, 0.2])
    groups = np.array(["b", "b", "a", "c", "c", "c", "a"])
    sums = [one[groups == name].sum() for name in "abc"]
    flips = [abs(np.dot(signs, sums)) for signs in itertools.product([1, -1], repeat=3)]
    wanted = np.mean([flip >= sum(sums) - 1e-12 for flip in flips])
    assert paired_comparison(one, np.zeros(7), groups).p == pytest.approx(wanted) == 0.25
    # As seven independent patients the photographs, which all agree, would give 2 of 128.
    assert paired_comparison(one, np.zeros(7), np.arange(7)).p == pytest.approx(2 / 128)


def test_drawn_flips_come_near_the_exact_ones() -> None:
    generator = np.random.default_rng(8)
    differences = generator.normal(size=14) + 0.5
    sums = np.array(list(itertools.product([1, -1], repeat=14))) @ differences
    exact = np.mean(np.abs(sums) >= differences.sum() - 1e-9)
    drawn = paired_comparison(differences, np.zeros(14), np.arange(14))
    assert drawn.p == pytest.approx(exact, abs=0.01)
    assert drawn == paired_comparison(differences, np.zeros(14), np.arange(14))
    sure = paired_comparison(np.ones(40), np.zeros(40), np.arange(40))
    assert sure.p == pytest.approx(1 / 10_001), "never zero"


def test_wins_ties_and_losses_are_patients() -> None:
    groups = ["a", "a", "b", "c", "d", "e"]
    one = [0.9, 0.4, 0.5, 0.3, 0.2, math.nan]
    other = [0.5, 0.5, 0.5, 0.1 + 0.2, 0.6, 0.1]  # rounding wins and loses nothing
    result = paired_comparison(one, other, groups)
    assert (result.wins, result.ties, result.losses) == (1, 2, 1)
    turned = paired_comparison(other, one, groups)
    assert (turned.wins, turned.ties, turned.losses) == (1, 2, 1)
    assert turned.difference == pytest.approx(-result.difference)
    assert turned.p == result.p
    same = paired_comparison(one, one, groups)
    assert (same.difference, same.wins, same.ties, same.losses, same.p) == (0.0, 0, 4, 0, 1.0)


def test_the_gap_closed_is_a_ratio_of_means_and_undefined_without_a_gap() -> None:
    assert gap_closed([0.6, 0.8], [0.5, 0.5], [0.9, 0.7]) == pytest.approx(2 / 3)
    assert gap_closed(0.4, 0.5, 0.9) == pytest.approx(-0.25)
    assert gap_closed([0.6, 0.0], [0.5, 0.1], [0.7, math.nan]) == pytest.approx(0.5)
    assert math.isnan(gap_closed([0.6, 0.8], [0.5, 0.7], [0.5, 0.7]))
    assert math.isnan(gap_closed([math.nan], [0.5], [0.7]))
    # MAGE-Net's published IoU: 70 % of the gap
    assert gap_closed(0.726, 0.479, 0.830) == pytest.approx(0.70, abs=0.01)
