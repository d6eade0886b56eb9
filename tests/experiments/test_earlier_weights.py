"""Weights of earlier releases still enhance."""

import pytest
import torch

from data_modules.datasets.phantom import draw_phantom
from experiments.configurations import WEIGHTS
from magenet.enhancement.enhancer import PhotographEnhancer


def test_weights_of_release_0_1_enhance_as_they_did() -> None:
    enhancer = PhotographEnhancer.from_pretrained(
        WEIGHTS / "mage_net_0.1", torch.device("cpu"), 8 << 30
    )
    enhancer.given_half = False  # the same on every processor
    dark = (draw_phantom(3, 256).image * 0.6).to(torch.uint8)
    report = enhancer(dark, force=True).report
    told = (report.light_share, report.expected_error, report.mean_change, report.colour_change)
    assert told == pytest.approx((0.572, 12.14, 8.09, 4.08), rel=0.02)  # as release 0.1 told them
