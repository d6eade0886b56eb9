"""Networks at the photograph's own scale: one pass, and what they tell of it."""

import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import magenet
from magenet.enhancement.calibration_curve import CalibrationCurve
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.origin import processing_of
from magenet.enhancement.page.entries import about
from magenet.enhancement.released import ReleasedEnhancer
from magenet.enhancement.settings import Settings
from magenet.errors import UserError
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


def test_fast_is_another_size_and_keeps_what_is_finer(enhancer: PhotographEnhancer) -> None:
    own = told(enhancer, (0.10, 0.02), (0.01, 0.02))
    own.settings = replace(own.settings, size=(64, 256))
    image = retina(4, 333)
    sides: list[int] = []
    network = own._through_network

    def note(seen: Tensor, inside: Tensor) -> EnhancerOutput:
        sides.append(seen.shape[-1])
        return network(seen, inside)

    own._through_network = note  # type: ignore[method-assign]
    whole, fast = (own(image, force=True, fast=fast) for fast in (False, True))
    assert sides[1] == sides[0] // 2
    inside = whole.field.mask.expand_as(image)
    torch.testing.assert_close(fast.image[~inside], image[~inside])
    change = (fast.image.int() - image.int()).float()[:, 100:-100, 100:-100]
    assert float(change.mean()) == pytest.approx(25.5, abs=1.0)
    assert float(change.std()) < 2.0, "its noise stays as it was"


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


REPORTED = """
import re, sys
from pathlib import Path
import torch
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.imaging.field_of_view import field_from_mask

weights, half = sys.argv[1:]
enhancer = PhotographEnhancer.from_pretrained(weights, torch.device("cpu"), 1 << 40)
enhancer.given_half = half == "bf16"
seen, mask = torch.rand(3, 1024, 1024), torch.ones(1, 1024, 1024)
rest = (mask, 0 * mask, 0.0, 1.0, field_from_mask(mask > 0))
enhancer.max_memory = 0
try:
    enhancer._report(seen, seen, *rest)
except Exception as error:
    print(error)
enhancer.max_memory = 1 << 40
enhancer._report(seen, 0.9 * seen, *rest)
status = Path("/proc/self/status").read_text()
print("peak", int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) >> 10)
"""
"""Prints what a report at 1024 px is said to need, and the most memory that its process held."""


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_the_report_takes_no_more_memory_than_was_said(precision: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", REPORTED, "mage_net", precision],
        capture_output=True, text=True, check=True, timeout=240,
    ).stdout  # fmt: skip
    need = re.search(r"too little for the report at 512 px; give (\d+)M at least", said)
    assert need is not None, said
    assert 0.6 * int(need[1]) < int(said.split("peak ")[1]) <= int(need[1])


def test_pictures_pass_the_segmenter_one_by_one_in_the_enhancers_precision(
    enhancer: PhotographEnhancer,
) -> None:
    seen: list[tuple[int, torch.dtype]] = []

    class Noted(torch.nn.Conv2d):
        def forward(self, picture: Tensor) -> Tensor:
            logits = super().forward(picture)
            seen.append((len(picture), logits.dtype))
            return logits

    enhancer.vessels = Noted(3, 1, 1)
    for half, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        enhancer.given_half = half
        seen.clear()
        assert enhancer.find_vessels(torch.rand(2, 3, 64, 64)).shape == (2, 1, 64, 64)
        assert seen == [(1, dtype)] * 2


def test_a_report_that_would_not_fit_is_refused(enhancer: PhotographEnhancer) -> None:
    enhancer.max_memory = 0
    with pytest.raises(UserError, match=r"too little for the report at 64 px; give \d+M at least"):
        enhancer.find_vessels(torch.rand(1, 3, 64, 64))


def test_fast_reaches_the_network_from_everywhere(
    own_scale_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides: list[int] = []
    through = PhotographEnhancer._through_network

    def note(self: PhotographEnhancer, seen: Tensor, inside: Tensor) -> EnhancerOutput:
        sides.append(seen.shape[-1])
        return through(self, seen, inside)

    monkeypatch.setattr(PhotographEnhancer, "_through_network", note)
    image = retina(4, 333)
    for fast in (False, True):
        magenet.enhance(
            image.permute(1, 2, 0).numpy(), force=True, fast=fast, weights=own_scale_weights
        )
    square = torch.nn.functional.pad(image[None].float() / 255, (0, 3, 0, 3))
    for fast in (False, True):
        ReleasedEnhancer(str(own_scale_weights), fast)(square)
    assert sides[1] < sides[0]
    assert sides[3] < sides[2]


def test_what_was_made_fast_says_so() -> None:
    row: dict[str, object] = {"weights_sha256": "a", "settings_sha256": "b", "strength": 1.0}
    said = [str(processing_of(row | {"fast": fast})) for fast in (False, True)]
    assert [", fast" in text for text in said] == [False, True]
    said = [about("mage_net", "a" * 64, 1.0, fast) for fast in (False, True)]
    assert [", fast" in text for text in said] == [False, True]
