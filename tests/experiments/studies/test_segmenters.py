import json
from pathlib import Path

import pytest
import torch

from experiments.configurations import CONFIGS
from experiments.studies import publish_judges as publish
from experiments.studies import segmenters as results
from magenet.errors import UserError

pytestmark = pytest.mark.usefixtures("workplace")


def test_published_segmenters_are_scored_on_every_val_photograph(
    tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match="make judges"):
        results.main(["--weights", "none", "--out", "out"])
    for name in ("vessels", "disc"):
        network, _ = results.build_experiment(CONFIGS / f"runs/judges/{name}.yaml")
        checkpoint = tmp_path / "runs" / publish.SOURCES[name]
        checkpoint.parent.mkdir(parents=True)
        weights = {f"network.{key}": value for key, value in network.state_dict().items()}
        content = {"state_dict": weights | {"loss.weight": torch.ones(1)}, "global_step": 7}
        torch.save(content | {"optimizer_states": [torch.ones(9)]}, checkpoint)
    assert publish.main(["--runs", "runs", "--out", ".", "vessels", "disc"]) == 0
    kept = torch.load("vessels.ckpt", weights_only=True)
    assert kept.keys() == {"state_dict", "global_step"}
    assert all(name.startswith("network.") for name in kept["state_dict"])
    assert publish.main(["--runs", "nowhere", "--out", ".", "disc"]) == 1
    assert publish.main(["--runs", "runs", "--out", ".", "discs"]) == 1
    assert "no judge is called 'discs': one of structure, vessels" in capsys.readouterr().err
    assert results.main(["--weights", ".", "--out", "out"]) == 0
    tables = json.loads(Path("out/judges.json").read_text())
    assert {label.split(",")[0] for label in tables} == {"vessels", "disc"}
    assert "| vessels, both sets, 512 px | 4 |" in Path("out/judges.md").read_text()
