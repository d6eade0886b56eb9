"""Every YAML runs: fit, validate, test, predict, through the real command line."""

import csv
import importlib
import importlib.util
import json
import re
from pathlib import Path

import pytest
import torch
import yaml
from jsonargparse import ArgumentParser

from experiments.configurations import BASE, CONFIGS
from magenet.evaluation import Judge
from magenet.main import main
from magenet.metrics import NaturalnessModel
from tests.command_line import SMALL, TINY, configs, predict, segmenter_for
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("workplace")

PHANTOMS = CONFIGS / "runs/phantoms/mean_teacher.yaml"
PROTOCOL = CONFIGS / "layers/protocol/comparison.yaml"

# Networks that layers/model/tiny.yaml, a MAGE-Net, cannot stand for.
SMALL_PEERS = {
    "magenet.models.peers.MPRNet": """
model:
  init_args:
    network:
      init_args: {width: 8, growth: 4, extra: 4, blocks: 1}
"""
}
EVERY = sorted(p.relative_to(CONFIGS).as_posix() for p in CONFIGS.rglob("*.yaml"))
RUNS = [p for p in EVERY if p.startswith("runs/")]
COMPARED = [p for p in RUNS if p.startswith("runs/comparison/")]
ELSEWHERE = [
    "runs/classical.yaml",
    "runs/predict.yaml",
    "runs/release/mage_net.yaml",
    "runs/teacher/variants.yaml",
]
"""Tested beside what uses them: here, with the predictions, and in tests/experiments/studies."""

ALONE = [p for p in RUNS if p not in COMPARED and p not in ELSEWHERE]
TESTS = [p for p in EVERY if p.startswith("tests/")]
LAYERS = [p for p in EVERY if p.startswith("layers/") and CONFIGS / p != PROTOCOL]


CLASSICAL = [
    *(f"magenet.models.peers.{name}" for name in (
        "BenGraham", "CLAHE", "DarkChannelPrior", "GlobalLocalContrast", "Identity", "Setiawan",
        "UnsharpMask",
    )),
    "magenet.enhancement.released.ReleasedEnhancer",
]  # fmt: skip


def test_every_config_is_of_a_kind_that_its_folder_names() -> None:
    assert (
        sorted(["base.yaml", *RUNS, *TESTS, *LAYERS, str(PROTOCOL.relative_to(CONFIGS))]) == EVERY
    )


def run_all(layers: list[str], photographs: Path, *, enhances: bool = True) -> None:
    """Fit, validate, test and predict as a person would, each from the run's own files."""
    assert main(["fit", *layers]) == 0
    runs = sorted(Path("runs").rglob("config.yaml"))
    assert len(runs) == 1
    checkpoints = sorted(Path("runs").rglob("best.ckpt"))
    assert len(checkpoints) == 1
    again = [*configs(runs[0]), "--ckpt_path", str(checkpoints[0])]
    assert main(["validate", *again]) == 0
    assert main(["test", *again]) == 0
    if enhances:
        assert len(list(Path("runs").rglob("scores.csv"))) == 1
        assert main(predict(photographs / "hygd", Path("out"), checkpoints[0])) == 0
        assert len(list(Path("out").glob("eye_*.png"))) == 4


@pytest.mark.parametrize("name", COMPARED)
def test_compared(name: str, photographs: Path) -> None:
    model = yaml.safe_load((CONFIGS / name).read_text())["model"]["init_args"]
    layers = configs(BASE, PROTOCOL, CONFIGS / name, "limits.yaml", "small.yaml")
    run_all([*layers, *segmenter_for(model)], photographs)


@pytest.mark.parametrize("name", TESTS)
def test_the_judges_of_a_table_are_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    parser = ArgumentParser()
    parser.add_subclass_arguments(Judge, "judge")
    for judge in yaml.safe_load((CONFIGS / name).read_text())["scores"]["judges"]:
        parser.instantiate(parser.parse_object({"judge": judge})).judge.load()


@pytest.mark.parametrize("name", TESTS)
def test_table(name: str, photographs: Path) -> None:
    judges = yaml.safe_load((CONFIGS / name).read_text())["scores"]["judges"]
    for judge in judges:
        given = judge.get("init_args", {})
        if judge["class_path"].endswith("NaturalnessJudge"):
            Path(given["path"]).parent.mkdir(parents=True, exist_ok=True)
            NaturalnessModel(torch.zeros(36), torch.eye(36), 8).save(given["path"])
        if "checkpoint" not in given:
            continue
        path, kind = given["network"]["class_path"].rsplit(".", 1)
        network = getattr(importlib.import_module(path), kind)(
            **given["network"].get("init_args", {})
        )
        checkpoint = Path(given["checkpoint"])
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        weights = {f"network.{key}": value for key, value in network.state_dict().items()}
        torch.save({"state_dict": weights}, checkpoint)
    children = Path("experiments/configs/tests/chase_db1_children.csv")
    children.parent.mkdir(parents=True)
    children.write_text((CONFIGS / "tests/chase_db1_children.csv").read_text())
    Path("small.yaml").write_text(SMALL + "    scored_size: 96\n")
    classical = CONFIGS / "runs/classical.yaml"
    layers = configs(BASE, classical, CONFIGS / name, "limits.yaml", "small.yaml")
    assert main(["test", *layers]) == 0
    folder = next(Path("runs").rglob("results.json")).parent
    assert {line["subject"] for line in json.loads((folder / "results.json").read_text())} >= {
        "input", "student",
    }  # fmt: skip
    facts = json.loads((folder / "provenance.json").read_text())
    assert facts["chosen"] == "nothing to choose"
    with (folder / "scores.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) >= 4


@pytest.mark.parametrize("name", ALONE)
def test_experiment(name: str, photographs: Path) -> None:
    layers = configs(BASE, CONFIGS / name, "limits.yaml", "small.yaml")
    if "segmenter" in name or name.startswith("runs/judges/"):
        run_all(layers, photographs, enhances=False)
        return
    model = yaml.safe_load((CONFIGS / name).read_text())["model"]["init_args"]
    kind = model["network"]["class_path"]
    if kind in SMALL_PEERS:
        Path("small_peer.yaml").write_text(SMALL_PEERS[kind])
        layers += configs("small_peer.yaml")
    else:
        layers += configs(TINY)
    run_all([*layers, *segmenter_for(model)], photographs)
    ran = yaml.safe_load(next(Path("runs").rglob("config.yaml")).read_text())["model"]["init_args"]
    assert ran["network"]["class_path"] == kind, "a small layer must not swap the network"


@pytest.mark.parametrize("network", CLASSICAL)
def test_classical(network: str) -> None:
    layers = configs(BASE, CONFIGS / "runs/classical.yaml", "limits.yaml", "small.yaml")
    layers += ["--model.network", network]
    assert main(["validate", *layers]) == 0
    assert main(["test", *layers]) == 0
    assert len(list(Path("runs").rglob("scores.csv"))) == 1
    assert main(["fit", *layers]) == 1


@pytest.mark.parametrize("name", LAYERS)
def test_layer(
    name: str, photographs: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "layers/logging/wandb.yaml" and importlib.util.find_spec("wandb") is None:
        pytest.skip("needs the extra: pip install 'magenet[wandb]'")
    if name == "layers/data/stream.yaml":
        folder = request.getfixturevalue("shards")
        monkeypatch.setenv("MAGENET_GOOD_SHARDS", str(folder / "good"))
        monkeypatch.setenv("MAGENET_REAL_SHARDS", str(folder / "real"))
    # After our limits, so that the layer's own hold; only the size of the data comes later.
    layers = configs(BASE, PHANTOMS, TINY, "limits.yaml", CONFIGS / name, "small.yaml")
    if name == "layers/debug/overfit.yaml":
        layers += ["--trainer.max_epochs", "2", "--trainer.check_val_every_n_epoch", "1"]
    if name == "layers/data/folder.yaml":
        layers += ["--trainer.max_steps", "2"]
    run_all(layers, photographs)
    if name == "layers/logging/wandb.yaml":
        assert list(Path("runs").rglob("*.wandb")), "an offline run"
        assert list(Path("runs/wandb").rglob("config.yaml")), "beside the CSV"


def test_no_machine_is_assumed() -> None:
    for name in EVERY:
        assert not re.search(r"[\s\"'](/|~/)\w", (CONFIGS / name).read_text()), name
