import time
from pathlib import Path

import pytest
import torch
import yaml
from jsonargparse import ArgumentParser

from data_modules.datasets.manifest import Photograph
from magenet.adaptation import training
from magenet.adaptation.manifests import write_manifests
from magenet.adaptation.survey import Surveyed
from magenet.adaptation.training import released_degradation, train
from magenet.degradation import CounterRNG, Degradation
from magenet.models import MAGENet


def test_the_degradation_is_that_of_the_released_training() -> None:
    run = Path("experiments/configs/runs/release/detail.yaml")
    written = yaml.safe_load(run.read_text())["data"]["init_args"]["degradation"]
    parser = ArgumentParser()
    parser.add_subclass_arguments(Degradation, "degradation")
    theirs = parser.instantiate_classes(parser.parse_object({"degradation": written})).degradation
    drawn = [one.draw(CounterRNG(torch.arange(64))) for one in (released_degradation(), theirs)]
    assert drawn[0].records() == drawn[1].records()
    assert len(drawn[0].records()) == 64


def test_weights_at_their_own_scale_learn_detail_and_its_errors_and_keep_their_light(
    camera: Path, own_scale_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tells gains and errors is trained with what it tells of, so that none is outdated."""
    monkeypatch.setattr(training, "WINDOWS", 1)
    images = sorted(camera.glob("*.png"))
    surveyed = [
        Surveyed(Photograph(image, image.name), image, "ok", float(index))
        for index, image in enumerate(images)
    ]
    manifest, _ = write_manifests(tmp_path, surveyed)
    before = MAGENet.from_pretrained(own_scale_weights)
    after, steps = train(before, manifest, torch.device("cpu"), 2, time.time() + 600, 0)
    assert steps == 2
    weights = before.state_dict()
    moved = {n for n, value in after.state_dict().items() if not torch.equal(value, weights[n])}
    assert all(name.startswith("detail.") for name in moved)
    assert {"detail.heads.0.weight", "detail.gain.4.weight", "detail.error.weight"} <= moved
    assert after.use == before.use
