import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

from data_modules.datasets.manifest import Photograph
from magenet.adaptation import judgement
from magenet.adaptation.judgement import HeldOutComparison, compare_held_out, write_comparison
from magenet.adaptation.manifests import write_manifests
from magenet.adaptation.survey import Surveyed
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.errors import UserError
from magenet.evaluation.statistics import Comparison
from magenet.models import MAGENet


@pytest.mark.parametrize("which", ["weights", "own_scale_weights"])
def test_a_network_is_not_better_than_itself(
    judging: Path,
    which: str,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setattr(judgement, "DRAWS", 1)
    network = MAGENet.from_pretrained(request.getfixturevalue(which))
    verdict = compare_held_out(network, network, judging, torch.device("cpu"), 8 << 30)
    assert not verdict.better
    assert {one.difference for one in verdict} == {0.0}


@pytest.fixture
def judging(camera: Path, tmp_path: Path) -> Path:
    """Return the manifest of photographs to judge on."""
    surveyed = [
        Surveyed(Photograph(image, image.name), shutil.copy(image, tmp_path), "ok", float(index))
        for index, image in enumerate(sorted(camera.glob("*.png")))
    ]
    return write_manifests(tmp_path, surveyed)[1]


GAIN = Comparison(1.0, 0.5, 1.5, wins=8, ties=0, losses=0, p=0.01)
KEPT = Comparison(0.0, -0.01, 0.01, wins=0, ties=8, losses=0, p=1.0)


BETTER = HeldOutComparison(GAIN, colour=KEPT, vessel_new=KEPT, vessel_lost=KEPT, vessel_found=KEPT)


@pytest.mark.parametrize(
    ("comparison", "fault"),
    [
        (BETTER, None),
        (BETTER._replace(psnr=GAIN._replace(p=0.2)), "no sure gain in PSNR (p = 0.2, asked"),
        (BETTER._replace(psnr=GAIN._replace(low=-0.1)), "no sure gain"),
        (BETTER._replace(psnr=GAIN._replace(difference=0.05, low=0.02)), "at least 0.1 dB"),
        (BETTER._replace(psnr=Comparison(-1.0, -1.5, -0.5, 0, 0, 8, 0.01)), "no sure gain"),
        (BETTER._replace(psnr=GAIN._replace(low=math.nan, high=math.nan)), "no sure gain"),
        (BETTER._replace(colour=KEPT._replace(high=0.4)), "colours may be further away"),
        (BETTER._replace(vessel_new=KEPT._replace(high=0.05)), "appear where there are none"),
        (BETTER._replace(vessel_lost=KEPT._replace(high=0.05)), "vessels may be lost"),
        (BETTER._replace(vessel_lost=KEPT._replace(low=math.nan, high=math.nan)), "may be lost"),
        (BETTER._replace(vessel_found=KEPT._replace(low=-0.05)), "fewer vessels may be found"),
        (BETTER._replace(vessel_found=KEPT._replace(low=math.nan)), "fewer vessels may be found"),
    ],
)
def test_it_is_better_only_by_a_sure_gain_that_costs_nothing(
    comparison: HeldOutComparison, fault: str | None, tmp_path: Path
) -> None:
    """Colours nearer to a veil, or vessels that are drawn, raise PSNR too."""
    assert comparison.better is (fault is None)
    assert len(comparison.faults) == (fault is not None)
    assert fault is None or fault in comparison.faults[0]
    write_comparison(comparison, {"seed": 3}, tmp_path / "verdict.json")
    written = json.loads((tmp_path / "verdict.json").read_text())
    assert (written["better"], written["seed"]) == (fault is None, 3)
    assert written["faults"] == comparison.faults
    assert written["psnr_gain"]["difference"] == comparison.psnr.difference
    assert written["vessel_new_change"]["high"] == comparison.vessel_new.high
    assert written["vessel_lost_change"]["p"] == comparison.vessel_lost.p
    assert written["vessel_found_change"]["p"] == comparison.vessel_found.p


def test_a_network_that_destroys_has_the_sign_of_a_loss(
    weights: Path, judging: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judgement, "DRAWS", 1)
    good, broken = (MAGENet.from_pretrained(weights) for _ in range(2))
    with torch.no_grad():
        for parameter in broken.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    there = compare_held_out(good, broken, judging, torch.device("cpu"), 8 << 30)
    back = compare_held_out(broken, good, judging, torch.device("cpu"), 8 << 30)
    assert there.psnr.difference < 0 < back.psnr.difference
    assert there.colour.difference > 0 > back.colour.difference
    assert there.vessel_lost.difference == pytest.approx(-back.vessel_lost.difference)


def test_a_network_that_leaves_haze_lets_fewer_vessels_be_found(
    weights: Path, judging: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As adapted weights did that were trained on a camera's hazy photographs as clean ones."""
    monkeypatch.setattr(judgement, "DRAWS", 1)
    network, hazy = (MAGENet.from_pretrained(weights) for _ in range(2))

    def enhance(enhancer: PhotographEnhancer, image: Tensor, mask: Tensor) -> Tensor:
        return torch.lerp(image, mask * 0.6, 0.6) if enhancer.network is hazy else image

    monkeypatch.setattr(judgement, "_enhance", enhance)
    there = compare_held_out(network, hazy, judging, torch.device("cpu"), 8 << 30)
    back = compare_held_out(hazy, network, judging, torch.device("cpu"), 8 << 30)
    assert -1 < there.vessel_found.difference < -0.2
    assert back.vessel_found.difference > 0.2
    assert any("fewer vessels may be found" in fault for fault in there.faults)


def test_without_any_vessel_there_is_no_verdict(
    judging: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(self: PhotographEnhancer, images: Tensor) -> Tensor:
        return torch.zeros_like(images[:, :1])

    monkeypatch.setattr(judgement, "DRAWS", 1)
    monkeypatch.setattr(PhotographEnhancer, "find_vessels", nothing)
    network = MAGENet.from_pretrained(weights)
    with pytest.raises(UserError, match="of fewer than two patients"):
        compare_held_out(network, network, judging, torch.device("cpu"), 8 << 30)
