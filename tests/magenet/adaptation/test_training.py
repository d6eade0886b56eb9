from pathlib import Path

import yaml

from magenet.adaptation.training import released_degradation


def test_the_degradation_is_that_of_the_released_training() -> None:
    run = Path("experiments/configs/runs/release/supervised.yaml")
    written = yaml.safe_load(run.read_text())["data"]["init_args"]["degradation"]["init_args"]
    ours = released_degradation()
    assert written["share"] == ours.share
    assert written["first"]["init_args"] == {"gentle": ours.recipes["first"].gentle}
