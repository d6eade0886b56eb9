from pathlib import Path

import torch
import yaml
from jsonargparse import ArgumentParser

from magenet.adaptation.training import released_degradation
from magenet.degradation import CounterRNG, Degradation


def test_the_degradation_is_that_of_the_released_training() -> None:
    run = Path("experiments/configs/runs/release/detail.yaml")
    written = yaml.safe_load(run.read_text())["data"]["init_args"]["degradation"]
    parser = ArgumentParser()
    parser.add_subclass_arguments(Degradation, "degradation")
    theirs = parser.instantiate_classes(parser.parse_object({"degradation": written})).degradation
    drawn = [one.draw(CounterRNG(torch.arange(64))) for one in (released_degradation(), theirs)]
    assert drawn[0].records() == drawn[1].records()
    assert len(drawn[0].records()) == 64
