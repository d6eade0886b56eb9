"""How sure a mean over photographs is, when several photographs show one patient."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

EXACT_PATIENTS = 12
"""Up to so many patients all sign flips are tried: 4,096."""

FLIPS = 10_000
"""How many sign flips are drawn for more patients."""


class Interval(NamedTuple):
    """Say a mean and how far it may be off.

    Attributes:
        mean: Over all photographs, each counted once.
        low: Lower end of the interval.
        high: Upper end.
    """

    mean: float
    low: float
    high: float


class Comparison(NamedTuple):
    """Say whether one method scores above another on the same photographs.

    Attributes:
        difference: Mean over photographs of one less the other.
        low: Lower end of its 95 % interval.
        high: Upper end.
        wins: Patients on whose photographs one scores higher on average.
        ties: Patients on whom both score the same.
        losses: Patients on whom the other scores higher.
        p: Two-sided, of a permutation test over patients.
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
    """Return the mean over photographs and its bootstrap interval over patients.

    Patients are drawn with replacement, each with all of their photographs: two eyes of one patient
    are no two witnesses. The interval is between percentiles of the drawn means.

    Args:
        values: Score of each photograph, `(n,)`; NaN is left out.
        groups: Patient of each photograph, `(n,)`, names or numbers.
        level: How much of the drawn means the interval holds.
        draws: How often patients are drawn.
        seed: Of the draws.

    Returns:
        Mean, low and high.

    Raises:
        ValueError: If fewer than two patients have a score, or lengths differ.

    References:
        Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapters 8 and 13.

    Example:
        >>> bootstrap_interval([1.0, 1.0, 1.0], ["a", "a", "b"])
        Interval(mean=1.0, low=1.0, high=1.0)
    """
    sums, counts = _by_patient(values, groups)
    generator, patients = np.random.default_rng(seed), len(sums)
    drawn = generator.integers(patients, size=(draws, patients))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(sums.sum() / counts.sum()), float(low), float(high))


def paired_comparison(
    one: ArrayLike, other: ArrayLike, groups: ArrayLike, seed: int = 0
) -> Comparison:
    """Compare two methods on the same photographs, patient by patient.

    If neither were better, each patient's differences could as well have the other sign: `p` is how
    often flipped signs give a mean difference at least as far from 0. All flips are tried for at
    most 12 patients, else 10,000 drawn ones beside the one that happened.

    Args:
        one: Scores of one method, `(n,)`; photographs with NaN in either are left out.
        other: Scores of the other, `(n,)`.
        groups: Patient of each photograph, `(n,)`, names or numbers.
        seed: Of the interval's draws and the flips.

    Returns:
        The difference `one - other` with its interval, and who won how often.

    Raises:
        ValueError: If fewer than two patients have both scores, or lengths differ.

    References:
        Phipson and Smyth, "Permutation p-values should never be zero", 2010: drawn flips count the
        observed one too.

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
    rounding = 1e-9 * float(np.abs(sums).sum())  # a sum in another order is no other sum
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
    """Return how much of the way from untouched to clean photographs a method goes.

    Of the mean scores, not a mean of quotients: single photographs may have no gap.

    Args:
        method: Scores on enhanced photographs, `(n,)` or their mean.
        untouched: Scores on the same photographs as they were.
        clean: Scores on their clean counterparts. Photographs with NaN in any are left out.

    Returns:
        1 if the method equals clean photographs, 0 if it changes nothing; NaN where clean equals
        untouched or nothing is left.

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
    """Return each patient's sum and number of values, NaN left out; raise for under two."""
    values, groups = np.asarray(values, dtype=float), np.asarray(groups)
    if values.ndim != 1 or values.shape != groups.shape:
        raise ValueError(f"cannot group values {values.shape} by patients {groups.shape}")
    known = ~np.isnan(values)
    names, places = np.unique(groups[known], return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"an interval over patients needs two with a score, not {len(names)}")
    sums = np.zeros(len(names))
    np.add.at(sums, places, values[known])
    return sums, np.bincount(places)
