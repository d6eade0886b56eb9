from pathlib import Path

import yaml

from magenet.adaptation.training import released_degradation
from magenet.degradation import FundusDegradation


def test_the_degradation_is_that_of_the_released_training() -> None:
    run = Path("experiments/configs/runs/release/detail.yaml")
    written = yaml.safe_load(run.read_text())["data"]["init_args"]["degradation"]["init_args"]
    ours = released_degradation()
    assert written["share"] == ours.share
    fundus = ours.recipes["first"]
    assert isinstance(fundus, FundusDegradation)
    assert written["first"]["init_args"] == {"gentle": fundus.gentle, "blurred": fundus.blurred}
