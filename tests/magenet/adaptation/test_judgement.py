import json
import math
from pathlib import Path

import pytest
import torch

from data_modules.datasets.manifest import Photograph
from magenet.adaptation import judgement
from magenet.adaptation.judgement import compare_held_out, write_comparison
from magenet.adaptation.manifests import write_manifests
from magenet.adaptation.survey import Surveyed
from magenet.evaluation.statistics import Comparison
from magenet.models import MAGENet


@pytest.mark.parametrize("which", ["weights", "own_scale_weights"])
def test_a_network_is_not_better_than_itself(
    camera: Path,
    which: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setattr(judgement, "DRAWS", 1)
    network = MAGENet.from_pretrained(request.getfixturevalue(which))
    images = sorted(camera.glob("*.png"))
    surveyed = [
        Surveyed(Photograph(image, image.name), float(index)) for index, image in enumerate(images)
    ]
    _, judging = write_manifests(tmp_path, surveyed)
    verdict = compare_held_out(network, network, judging, torch.device("cpu"), 8 << 30)
    assert not verdict.better
    assert verdict.psnr.difference == verdict.vessel_lost.difference == 0.0


@pytest.fixture
def judging(camera: Path, tmp_path: Path) -> Path:
    """Return the manifest of photographs to judge on."""
    surveyed = [
        Surveyed(Photograph(image, image.name), float(index))
        for index, image in enumerate(sorted(camera.glob("*.png")))
    ]
    return write_manifests(tmp_path, surveyed)[1]


GAIN = Comparison(1.0, 0.5, 1.5, wins=8, ties=0, losses=0, p=0.01)
KEPT = Comparison(0.0, -0.01, 0.01, wins=0, ties=8, losses=0, p=1.0)


@pytest.mark.parametrize(
    ("psnr", "lost", "better"),
    [
        (GAIN, KEPT, True),
        (GAIN._replace(p=0.2), KEPT, False),
        (GAIN._replace(low=-0.1), KEPT, False),
        (GAIN._replace(difference=-1.0, low=-1.5, high=-0.5), KEPT, False),
        (GAIN._replace(low=math.nan, high=math.nan), KEPT, False),
        (GAIN, KEPT._replace(high=0.05), False),
        (GAIN, KEPT._replace(low=math.nan, high=math.nan), False),
    ],
)
def test_it_is_better_only_by_a_sure_gain_that_costs_no_vessels(
    psnr: Comparison, lost: Comparison, better: bool, weights: Path, judging: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    network = MAGENet.from_pretrained(weights)
    monkeypatch.setattr(judgement, "_compare_psnr", lambda *rest: psnr)
    monkeypatch.setattr(judgement, "_compare_vessels_lost", lambda *rest: lost)
    verdict = compare_held_out(network, network, judging, torch.device("cpu"), 8 << 30)
    assert verdict.better is better
    write_comparison(verdict, {"seed": 3}, tmp_path / "verdict.json")
    written = json.loads((tmp_path / "verdict.json").read_text())
    assert (written["better"], written["seed"]) == (better, 3)
    assert written["psnr_gain"]["difference"] == psnr.difference
    assert written["vessel_lost_change"]["p"] == lost.p


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
    assert there.vessel_lost.difference == pytest.approx(-back.vessel_lost.difference)
