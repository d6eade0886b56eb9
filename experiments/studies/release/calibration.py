"""Calibration curves: what was measured against what was predicted."""

from __future__ import annotations

import torch
from scipy.optimize import isotonic_regression
from torch import Tensor

from magenet.enhancement.calibration_curve import CalibrationCurve

POINTS = 12
"""Groups of equal size, whose means are the points of a calibration curve."""


def fit_curve(x: Tensor, y: Tensor) -> CalibrationCurve:
    """Return the isotonic regression of the means of :data:`POINTS` groups.

    Args:
        x: Predictions, `(n,)`.
        y: Measured values, `(n,)`.
    """
    groups = x.argsort().chunk(POINTS)
    middle = torch.stack([x[g].double().mean() for g in groups])
    mean = torch.stack([y[g].double().mean() for g in groups])
    sizes = torch.tensor([len(g) for g in groups], dtype=torch.double)
    rising = torch.from_numpy(isotonic_regression(mean.numpy(), weights=sizes.numpy()).x)
    distinct = torch.cat([torch.tensor([True]), middle.diff() > 1e-9])
    x, y = middle[distinct], rising[distinct]
    if len(x) == 1:  # all predictions are equal: a constant
        x, y = torch.cat([x, x + 1.0]), y.repeat(2)
    return CalibrationCurve(tuple(x.tolist()), tuple(y.tolist()))


def cross_fitted(x: Tensor, y: Tensor, patient: Tensor) -> Tensor:
    """Return what curves predict that were fitted on other photographs, `(n,)`.

    Args:
        x: Predictions, `(n,)`, or `(n, m)` for m places of each.
        y: Measured values, likewise.
        patient: Number of the patient, int64 `(n,)`: all of one are in one of two folds.
    """
    fold = patient % 2
    predicted = torch.empty_like(x)
    for held_out in (0, 1):
        curve = fit_curve(x[fold != held_out].flatten(), y[fold != held_out].flatten())
        predicted[fold == held_out] = curve(x[fold == held_out])
    return predicted


def flag_rows(
    expected: Tensor, measured: Tensor, limits: tuple[float, float], unit: float
) -> list[str]:
    """Return precision and recall of the flags as rows of a table.

    Args:
        expected: Of each photograph, `(n,)`.
        measured: Likewise.
        limits: Above which a photograph is flagged `check or abstain`, and `abstain`.
        unit: Factor of the limits as they are shown.
    """
    rows = []
    for name, limit in zip(("check or abstain", "abstain"), limits, strict=True):
        flagged, bad = expected > limit, measured > limit
        correct = int((flagged & bad).sum())
        precision = f"{correct / int(flagged.sum()):.2f}" if bool(flagged.any()) else ""
        recall = f"{correct / int(bad.sum()):.2f}" if bool(bad.any()) else ""
        rows.append(
            f"| {name} | {limit * unit:g} | {int(flagged.sum())} | {int(bad.sum())} | {correct} | "
            f"{precision} | {recall} |"
        )
    return rows


def curve_rows(curve: CalibrationCurve, x: float, y: float) -> list[str]:
    """Return the points of a curve as rows of a table, x and y multiplied by factors."""
    return [f"| {x * a:.2f} | {y * b:.2f} |" for a, b in zip(curve.x, curve.y, strict=True)]
