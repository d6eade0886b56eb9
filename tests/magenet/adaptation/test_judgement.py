from pathlib import Path

import pytest
import torch

from data_modules.datasets.manifest import Photograph
from magenet.adaptation import judgement
from magenet.adaptation.judgement import compare_held_out
from magenet.adaptation.manifests import write_manifests
from magenet.adaptation.survey import Surveyed
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
