"""The worked examples of docs/add_*.md run as they stand there, through the real command line."""

import json
import re
import runpy
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from data_modules.datasets.phantom import draw_phantom
from magenet.main import main
from magenet.sweeps.sweep_file import read_sweep
from tests.command_line import configs
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("workplace")

SMALLER = configs("limits.yaml", "small.yaml")


def commands(page: str, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Write the files that a page shows, and return the arguments of its commands."""
    text = (ROOT / "docs" / page).read_text()
    for code in re.findall(r"^```\w+\n(# (my_\w+\.\w+)\n.*?)^```", text, re.MULTILINE | re.DOTALL):
        Path(code[1]).write_text(code[0])
    monkeypatch.syspath_prepend(Path.cwd())  # PYTHONPATH=.
    for name in [name for name in sys.modules if name.startswith("my_")]:
        monkeypatch.delitem(sys.modules, name)
    joined = text.replace("\\\n", " ").replace("experiments/", f"{ROOT}/experiments/")
    lines = re.findall(r"^ {4}(?:PYTHONPATH=\. )?magenet (.*)$", joined, re.MULTILINE)
    return [shlex.split(line) for line in lines]


def test_a_factor_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    (fit,) = commands("add_factor.md", monkeypatch)
    assert main([*fit, *SMALLER, "--data.batch_size", "8"]) == 0
    lines = next(Path("runs").rglob("first_batch.jsonl")).read_text().splitlines()
    struck = [json.loads(line)["factors"] for line in lines]
    assert any("lashes" in factors for factors in struck)
    for factors in struck:
        if "lashes" in factors:
            assert set(factors["lashes"]) == {"x", "slope", "length", "width", "shade"}


def test_a_factor_can_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    commands("add_factor.md", monkeypatch)
    runpy.run_path("my_look.py")
    with Image.open("lashes.png") as shown:
        damaged = np.asarray(shown).astype(int)
    plain = draw_phantom(seed=0, size=512).image.permute(1, 2, 0).numpy().astype(int)
    darker = (damaged < plain - 20).any(axis=2).mean()
    assert 0.001 < darker < 0.1, "a line"


def test_an_added_factor_darkens_and_leaves_the_others_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commands("add_factor.md", monkeypatch)
    from my_factor import Lashes

    from magenet.degradation import AddedFactor, CounterRNG, FundusDegradation

    plain = FundusDegradation()
    more = FundusDegradation(added={"lashes": AddedFactor(Lashes(), (1.0, 1.0, 1.0), "exposure")})
    order = list(more.factors)
    assert order[order.index("lashes") + 1] == "exposure"
    rng = CounterRNG(torch.arange(16))
    records = more.draw(rng).records()
    assert all(record.pop("lashes") for record in records)
    assert records == plain.draw(rng).records()
    alone = FundusDegradation(mix={}, added={"lashes": AddedFactor(Lashes(), (1.0, 1.0, 1.0))})
    image, mask = torch.full((2, 3, 64, 64), 0.5), torch.ones(2, 1, 64, 64)
    change = alone(image, mask, CounterRNG(torch.arange(2))) - image
    assert float(change.max()) <= 0.0
    assert float(change.min()) < -0.1


def test_a_loss_is_added_and_another_one_left_out(
    monkeypatch: pytest.MonkeyPatch, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, own, predict, _ = commands("add_loss.md", monkeypatch)
    assert main([*own, *SMALLER, "--trainer.log_every_n_steps", "1"]) == 0
    logged = next(Path("runs").rglob("metrics.csv")).read_text().splitlines()[0].split(",")
    assert {"train/colour", "train/charbonnier"} <= set(logged)
    assert "train/enhancement" not in logged
    assert main([*given, *SMALLER, "--trainer.log_every_n_steps", "1"]) == 0
    logged = Path("runs/phantoms_supervised/version_0/metrics.csv").read_text().splitlines()[0]
    assert {"train/ssim", "train/enhancement"} <= set(logged.split(","))
    (trained,) = Path("runs/colour_loss/version_0").rglob("best.ckpt")
    predict = [word.replace("<run>/checkpoints/best.ckpt", str(trained)) for word in predict]
    predict = [word.replace("<folder>", str(photographs / "hygd")) for word in predict]
    small = ["--output.force", "true", "--trainer.accelerator", "cpu", "--data.workers", "0"]
    assert main([*predict, *small]) == 0
    assert list(Path("enhanced").glob("eye_*.png"))
    layer = predict.index("my_loss.yaml")
    assert main([*predict[: layer - 1], *predict[layer + 1 :], *small]) == 1
    assert "if this class is yours, add the --config" in capsys.readouterr().err


def test_a_sweep_of_its_weight_is_accepted_by_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    *_, (command, path) = commands("add_loss.md", monkeypatch)
    assert command == "sweep"
    words = read_sweep(Path(path)).words({"model.losses.colour.weight": 0.4})[1:]
    with pytest.raises(SystemExit) as stop:
        main([*words, "--print_config"])
    assert stop.value.code == 0
    losses = yaml.safe_load(capsys.readouterr().out)["model"]["init_args"]["losses"]
    assert losses["colour"]["init_args"]["weight"] == 0.4


def test_a_network_is_trained_tested_and_enhances(
    monkeypatch: pytest.MonkeyPatch, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit, test, predict = commands("add_network.md", monkeypatch)
    assert main([*fit, *SMALLER]) == 0
    assert main([*test, *SMALLER]) == 0
    assert list(Path("runs/two_layers").rglob("scores.csv"))
    own = ["--data.photographs", str(photographs / "hygd"), "--output.force", "true"]
    assert main([*predict, *own, "--trainer.accelerator", "cpu", "--data.workers", "0"]) == 0
    assert list(Path("enhanced").glob("eye_*.png"))
    unnamed = [word for word in predict if word not in ("--model.network", "my_network.TwoLayers")]
    assert main(unnamed) == 1
    assert "name 'my_network.TwoLayers'" in capsys.readouterr().err
