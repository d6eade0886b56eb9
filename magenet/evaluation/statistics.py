"""Bootstrap intervals and permutation tests over patients, who may have several photographs."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

EXACT_PATIENTS = 12
"""Largest number of patients for which all sign flips are evaluated: 4,096 flips."""

FLIPS = 10_000
"""Number of random sign flips for more patients."""


LEAST_PATIENTS = 4
"""Least number of patients for an interval. Of two or three, the percentiles of the resampled means
are the lowest and the highest patient, who enclose the mean of all patients in half or three
quarters of cases, not in 95 %."""


class Interval(NamedTuple):
    """Mean with its confidence interval.

    Attributes:
        mean: Mean over all photographs, each counted once.
        low: Lower end of the interval; NaN with fewer than :data:`LEAST_PATIENTS` patients.
        high: Upper end.
    """

    mean: float
    low: float
    high: float


class Comparison(NamedTuple):
    """Paired comparison of a first and a second method on the same photographs.

    Attributes:
        difference: Mean over photographs of the first method's score minus the second's.
        low: Lower end of its 95 % interval; NaN with fewer than :data:`LEAST_PATIENTS` patients.
        high: Upper end.
        wins: Number of patients for whom the first method's mean score is higher.
        ties: Number of patients for whom both are equal.
        losses: Number of patients for whom the second method's mean score is higher.
        p: Two-sided p-value of a permutation test over patients.
    """

    difference: float
    low: float
    high: float
    wins: int
    ties: int
    losses: int
    p: float


def bootstrap_interval(
    values: ArrayLike, groups: ArrayLike, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> Interval:
    """Return the mean over photographs with a cluster bootstrap interval over patients.

    Patients are resampled with replacement, each with all their photographs, because two eyes of
    one patient are not independent. The interval is between percentiles of the resampled means.

    Args:
        values: Score of each photograph, `(n,)`; NaN is left out.
        groups: Patient of each photograph, `(n,)`, names or numbers.
        level: Share of the resampled means inside the interval, 0 to 1.
        draws: Number of bootstrap samples.
        seed: Seed of the bootstrap samples.

    Returns:
        Mean, low and high; NaN for the ends with fewer than :data:`LEAST_PATIENTS` patients.

    Raises:
        ValueError: If fewer than two patients have a score, or lengths differ.

    References:
        Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapters 8 and 13.

    Example:
        >>> bootstrap_interval([1.0, 1.0, 1.0, 1.0, 1.0], ["a", "a", "b", "c", "d"])
        Interval(mean=1.0, low=1.0, high=1.0)
    """
    sums, counts = _by_patient(values, groups)
    if len(sums) < LEAST_PATIENTS:
        return Interval(float(sums.sum() / counts.sum()), math.nan, math.nan)
    generator, patients = np.random.default_rng(seed), len(sums)
    drawn = generator.integers(patients, size=(draws, patients))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(sums.sum() / counts.sum()), float(low), float(high))


def paired_comparison(
    one: ArrayLike, other: ArrayLike, groups: ArrayLike, seed: int = 0
) -> Comparison:
    """Compare two methods on the same photographs by a sign-flip permutation test over patients.

    Under the null hypothesis each patient's differences may have either sign: `p` is the share of
    sign flips with a mean difference at least as far from 0. All flips are evaluated for at most 12
    patients, else 10,000 random ones and the observed one.

    Args:
        one: Scores of the first method, `(n,)`; photographs with NaN in either are left out.
        other: Scores of the second method, `(n,)`.
        groups: Patient of each photograph, `(n,)`, names or numbers.
        seed: Seed of the bootstrap samples and of the random flips.

    Returns:
        The difference `one - other` with its interval, wins, ties, losses and p-value.

    Raises:
        ValueError: If fewer than two patients have both scores, or lengths differ.

    References:
        Phipson and Smyth, "Permutation p-values should never be zero", 2010: random flips include
        the observed one.

    Example:
        >>> paired_comparison([0.8, 0.9, 0.7], [0.7, 0.8, 0.7], ["a", "b", "c"]).p
        0.5
    """
    one, other = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    if one.shape != other.shape:
        raise ValueError(f"cannot pair scores of shapes {one.shape} and {other.shape}")
    differences = one - other
    difference, low, high = bootstrap_interval(differences, groups, seed=seed)
    sums, _ = _by_patient(differences, groups)
    rounding = 1e-9 * float(np.abs(sums).sum())  # sums depend on the order of summation
    if len(sums) > EXACT_PATIENTS:
        generator = np.random.default_rng(seed)
        signs = 2 * generator.integers(2, size=(FLIPS + 1, len(sums)), dtype=np.int8) - 1
        signs[0] = 1
    else:
        signs = np.array(list(itertools.product((1, -1), repeat=len(sums))))
    flipped = signs @ sums
    p = float(np.mean(np.abs(flipped) >= abs(sums.sum()) - rounding))
    wins, losses = int((sums > rounding).sum()), int((sums < -rounding).sum())
    return Comparison(difference, low, high, wins, len(sums) - wins - losses, losses, p)


def gap_closed(method: ArrayLike, untouched: ArrayLike, clean: ArrayLike) -> float:
    """Return the share of the gap between unenhanced and clean photographs that a method closes.

    A ratio of mean scores, not a mean of ratios: the gap of a single photograph may be 0.

    Args:
        method: Scores of the enhanced photographs, `(n,)` or their mean.
        untouched: Scores of the unenhanced photographs.
        clean: Scores of the clean photographs. Photographs with NaN in any are left out.

    Returns:
        1 if the method scores like clean photographs, 0 if like unenhanced ones; NaN where the two
        are equal or no photograph is left.

    Raises:
        ValueError: If lengths differ.

    Example:
        >>> gap_closed(0.75, 0.5, 1.0)
        0.5
    """
    scores = np.array([method, untouched, clean], dtype=float).reshape(3, -1)
    scores = scores[:, ~np.isnan(scores).any(axis=0)]
    if scores.shape[1] == 0:
        return float("nan")
    reached, start, goal = scores.mean(axis=1).tolist()
    return float("nan") if goal == start else (reached - start) / (goal - start)


def _by_patient(
    values: ArrayLike, groups: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the sum and number of each patient's values, without NaN.

    Raises:
        ValueError: If fewer than two patients have a value, or lengths differ.
    """
    values, groups = np.asarray(values, dtype=float), np.asarray(groups)
    if values.ndim != 1 or values.shape != groups.shape:
        raise ValueError(f"cannot group values {values.shape} by patients {groups.shape}")
    known = ~np.isnan(values)
    names, indices = np.unique(groups[known], return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"an interval over patients needs two with a score, not {len(names)}")
    sums = np.bincount(indices, weights=values[known]).astype(float)  # the stubs say integers
    return sums, np.bincount(indices)
