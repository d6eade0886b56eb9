"""Metrics: a pure function for each score of a photograph, and thin torchmetrics classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magenet.metrics.appearance import STATISTICS, appearance, two_sample_distance
from magenet.metrics.colour import brightness_drift, ciede2000, colour_difference
from magenet.metrics.disc import disc_shift
from magenet.metrics.fidelity import fidelity
from magenet.metrics.full_reference import masked_ms_ssim, masked_psnr, masked_ssim
from magenet.metrics.grading import (
    balanced_accuracy,
    expected_calibration_error,
    fit_temperature,
    reliability,
)
from magenet.metrics.lesions import detectability, lesion_contrast, preservation
from magenet.metrics.naturalness import NaturalnessModel
from magenet.metrics.no_reference import local_contrast, vessel_clarity
from magenet.metrics.quality import fiqa, wfqa
from magenet.metrics.segmentation import masked_dice, vessel_scores
from magenet.metrics.skeleton import (
    LengthChange,
    centerline_dice,
    longest_line,
    skeleton,
    vessel_length_change,
)

if TYPE_CHECKING:
    from magenet.metrics.per_image import MaskedDice, MaskedPSNR, MaskedSSIM

__all__ = [
    "STATISTICS",
    "LengthChange",
    "MaskedDice",
    "MaskedPSNR",
    "MaskedSSIM",
    "NaturalnessModel",
    "appearance",
    "balanced_accuracy",
    "brightness_drift",
    "centerline_dice",
    "ciede2000",
    "colour_difference",
    "detectability",
    "disc_shift",
    "expected_calibration_error",
    "fidelity",
    "fiqa",
    "fit_temperature",
    "lesion_contrast",
    "local_contrast",
    "longest_line",
    "masked_dice",
    "masked_ms_ssim",
    "masked_psnr",
    "masked_ssim",
    "preservation",
    "reliability",
    "skeleton",
    "two_sample_distance",
    "vessel_clarity",
    "vessel_length_change",
    "vessel_scores",
    "wfqa",
]


def __getattr__(name: str) -> object:
    """Import a torchmetrics class on first use: torchmetrics takes a second, and enhancing none."""
    if name in ("MaskedDice", "MaskedPSNR", "MaskedSSIM"):
        from magenet.metrics import per_image

        value: object = getattr(per_image, name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
