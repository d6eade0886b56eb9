"""Metrics: pure functions per photograph, and thin torchmetrics classes over them."""

from magenet.metrics.appearance import STATISTICS, appearance, two_sample_distance
from magenet.metrics.full_reference import MaskedPSNR, MaskedSSIM, masked_psnr, masked_ssim
from magenet.metrics.no_reference import local_contrast
from magenet.metrics.scores import ScoreTable
from magenet.metrics.segmentation import MaskedDice, masked_dice

__all__ = [
    "STATISTICS",
    "MaskedDice",
    "MaskedPSNR",
    "MaskedSSIM",
    "ScoreTable",
    "appearance",
    "local_contrast",
    "masked_dice",
    "masked_psnr",
    "masked_ssim",
    "two_sample_distance",
]
