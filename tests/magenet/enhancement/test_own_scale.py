"""Networks at the photograph's own scale: one pass, and what they tell of it."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from magenet.enhancement.calibration_curve import CalibrationCurve
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.settings import Settings
from magenet.models import Enhancer, EnhancerOutput, MAGENet, VesselSegmenter
from tests.magenet.conftest import retina

CPU = torch.device("cpu")
PLENTY = 1 << 40


@pytest.fixture
def enhancer(weights: Path) -> PhotographEnhancer:
    network = MAGENet.from_pretrained(weights)
    return PhotographEnhancer(network, Settings.of(network), VesselSegmenter(8, 4, 1), CPU, PLENTY)


class Told(Enhancer):
    """Brighten, and tell the errors of the photograph and of the estimate, left and right."""

    own_scale = True

    def __init__(self, before: tuple[float, float], after: tuple[float, float]) -> None:
        super().__init__()
        self.errors = torch.tensor([before, after])[None, :, None].repeat_interleave(16, dim=-1)

    def forward(self, image: Tensor, mask: Tensor | None = None) -> EnhancerOutput:
        """Return the photograph with more light."""
        log_error = self.errors.expand(-1, -1, 32, -1).log()
        weight = torch.linspace(0, 0.5, 32).expand(1, 1, 32, 32)
        return EnhancerOutput((image + 0.1,), log_error=log_error, light_weight=weight)


def told(enhancer: PhotographEnhancer, *errors: tuple[float, float]) -> PhotographEnhancer:
    return PhotographEnhancer(
        Told(*errors), enhancer.settings, VesselSegmenter(8, 4, 1), CPU, PLENTY
    )


def test_a_network_at_its_own_scale_is_asked_once_and_tells_what_to_expect(
    enhancer: PhotographEnhancer,
) -> None:
    own = told(enhancer, (0.10, 0.02), (0.01, 0.02))
    seen, mask = torch.full((3, 256, 256), 0.5), torch.ones(1, 256, 256)
    mask[:, :20] = 0.0
    estimate = own.estimate(seen * mask, mask)
    torch.testing.assert_close(estimate.change, 0.1 * mask.expand(3, -1, -1))
    assert estimate.light_share == pytest.approx(0.25, abs=0.01)
    assert estimate.uncertainty_score is not None
    assert estimate.harm is not None
    for plane, left, right in (
        (estimate.uncertainty_score, 0.01, 0.02),
        (estimate.harm, math.exp(-4 / 2.55) / 11, math.exp(-4 / 5.1) / 2),
    ):
        assert plane.shape == (1, 256, 256)
        assert not bool(plane[:, :20].any())
        assert float(plane[0, 60, 60]) == pytest.approx(left, rel=0.05)
        assert float(plane[0, 60, 220]) == pytest.approx(right, rel=0.05)


def test_the_expected_share_of_harm_is_reported_where_it_was_calibrated(
    enhancer: PhotographEnhancer,
) -> None:
    image = retina(4, 333)
    twice = CalibrationCurve((0.0, 0.5), (0.0, 1.0))
    for errors in ((0.1, 0.1), (0.01, 0.01)), ((0.001, 0.001), (0.1, 0.1)):
        own = told(enhancer, *errors)
        assert math.isnan(own(image, force=True).report.harmed_share)
        own.settings = replace(own.settings, harm=twice)
        report = own(image, force=True).report
        assert (report.harmed_share > 0.5) == (errors[0][0] < 0.01)
        expected = any("worse than before" in reason for reason in report.reasons)
        assert expected == (report.harmed_share > 0.25)
