"""A mistake in a configuration or an option is one line that names what was meant."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from magenet.commands.named_configs import config_path
from magenet.main import EXPERIMENT
from tests.conftest import ROOT
from tests.magenet.test_main import BASE, FIT, SUPERVISED, UNTRAINED, said

SSIM = "magenet.losses.SSIMTerm"


def test_a_missing_config_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    near = str(ROOT / "experiments/configs/runs/phantoms/supervisd.yaml")
    status, line = said(["fit", "--config", near], capsys)
    assert status == 2
    assert line.endswith("supervisd.yaml: no such configuration (did you mean supervised.yaml?)")


def test_a_command_in_another_folder_is_told_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = "experiments/configs/runs/predict.yaml"
    status, line = said(["predict", "--config", path], capsys)
    assert status == 2
    assert line == f"{path}: no such configuration (did you mean magenet:predict?)"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model.widht", "3"], ["widht", "; there are network, "]),
        (["--data.batch_sise", "3"], ["batch_sise", "(did you mean batch_size?)"]),
        (["--data.photographs.cont", "3"], ["'cont'", "(did you mean count?)"]),
        (["--model.optimizer.lrr", "3"], ["'lrr'", "(did you mean lr?)"]),
        (["--model.loses.edge.weight", "3"], ["did you mean --losses.edge.weight?"]),
        (["--data", "PairedDatModule"], ["data: no class", "mean data_modules.PairedDataModule?"]),
        (["--model.network", "magenet.models.UNett"], ["network: no class", "models.peers.UNet?"]),
        (["--trainer.max_epoks", "3"], ["max_epoks", "did you mean --trainer.max_epochs?"]),
        (["--ckpt-path", "a.ckpt"], ["did you mean --ckpt_path?"]),
        (["--losses.edge.weight", "2"], ["--losses.edge.weight 2; what is trained begins with"]),
        (["--model.losses.ssim.weight", "1"], ["the class first", "ssim magenet.losses.SSIMTerm"]),
        (["--data.batch_size", "many"], ["batch_size", "many"]),
    ],
)
def test_a_wrong_key_or_value_is_named(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, line = said(["fit", *FIT, *arguments], capsys)
    assert status == 2
    assert all(word in line for word in words), line
    assert len(line) < 300, line


def test_a_class_in_a_file_of_this_folder_is_told_how_to_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my_terms.py").write_text("")
    _, line = said(["fit", *FIT, "--model.losses.own", "my_terms.Own"], capsys)
    assert "no class 'my_terms.Own'" in line
    assert "PYTHONPATH=. before the command" in line
    _, line = said(["fit", *FIT, "--model.losses.own", "other_terms.Own"], capsys)
    assert "PYTHONPATH" not in line


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import torhc", "my_own cannot be imported: No module named 'torhc'"),
        ("def broken(:", r"my_own cannot be imported: invalid syntax \(line 1\)"),
        ("1 / 0", "my_own cannot be imported: ZeroDivisionError: division by zero"),
        ("class Own: pass", "my_own.Own is no (LossTerm|Enhancer|Factor): derive it from"),
    ],
)
@pytest.mark.parametrize(
    "content",
    [
        {"model": {"init_args": {"losses": {"mine": {"class_path": "my_own.Own"}}}}},
        {"model": {"init_args": {"network": {"class_path": "my_own.Own"}}}},
        {
            "data": {
                "init_args": {
                    "degradation": {
                        "class_path": "magenet.degradation.FundusDegradation",
                        "init_args": {"added": {"a": {"factor": {"class_path": "my_own.Own"}}}},
                    }
                }
            }
        },
    ],
    ids=["loss", "network", "factor"],
)
def test_what_is_wrong_with_a_file_of_ones_own_is_told(
    content: dict[str, Any], code: str, told: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_own", raising=False)
    (tmp_path / "my_own.py").write_text(code)
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(content))
    status, line = said(["fit", *FIT, "--config", str(tmp_path / "x.yaml")], capsys)
    monkeypatch.delitem(sys.modules, "my_own", raising=False)
    assert status == 2
    assert re.search(told, line), line


def test_a_value_that_a_class_of_ones_own_rejects_is_told_with_the_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_term.py").write_text(
        "from magenet.losses import SSIMTerm\n"
        "class Own(SSIMTerm):\n"
        "    def __init__(self, window: int = 4) -> None:\n"
        "        raise ValueError(f'the window must be odd, got {window}')\n"
    )
    status, line = said(["fit", *FIT, "--model.losses.own", "my_term.Own"], capsys)
    monkeypatch.delitem(sys.modules, "my_term", raising=False)
    assert (status, line) == (2, "my_term.Own: the window must be odd, got 4")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"data": {"init_args": {"image_sise": 3}}}, "image_sise.*did you mean image_size"),
        ({"trainer": {"max_epoks": 3}}, "trainer.max_epoks.*did you mean trainer.max_epochs"),
        ({"trayner": {"max_epochs": 3}}, "trayner.max_epochs.*did you mean trainer.max_epochs"),
        (
            {"trainer": {"callbacks": [{"class_path": "magenet.callbacks.Provenanc"}]}},
            "trainer.callbacks: no class .*did you mean magenet.callbacks.Provenance",
        ),
        (
            {"model": {"init_args": {"optimizer": {"class_path": "torch.optim.Adm"}}}},
            "optimizer: no class 'torch.optim.Adm' .did you mean torch.optim.Adam",
        ),
        (
            {"model": {"init_args": {"losses": {"a": {"class_path": SSIM, "weight": 1}}}}},
            f"losses: weight beside class_path {SSIM}: put it below init_args",
        ),
        (
            {"model": {"init_args": {"optimizer": {"class_path": "torch.optim.Adam", "lr": 1}}}},
            "options beside a class_path: put them below init_args; there are lr, betas",
        ),
    ],
)
def test_a_wrong_key_in_a_config_is_named(
    content: dict[str, Any], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(content))
    status, line = said(["fit", *FIT, "--config", str(tmp_path / "x.yaml")], capsys)
    assert status == 2
    assert re.search(told, line), line


def test_a_run_without_the_base_configuration_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, line = said(["fit", "--config", SUPERVISED], capsys)
    assert status == 2
    base = "give --config magenet:base before the experiment's"
    assert line == f"trainer.logger has no class: {base}"
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"trainer": {"max_epochs": 3}}))
    own = ["--config", str(tmp_path / "own.yaml"), *UNTRAINED, "--data", "PairedDataModule"]
    status, line = said(
        ["validate", *own, "--data.photographs", "data_modules.PhantomPhotographs"], capsys
    )
    assert (status, line) == (2, f"trainer.logger is not set: {base}")


@pytest.mark.parametrize("option", ["--trainer.max_epoch", "--resume_point.every"])
def test_a_shortened_option_is_not_taken_for_another(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, line = said(["fit", *BASE, "--config", SUPERVISED, option, "3"], capsys)
    assert status == 2
    assert f"unrecognized arguments: {option}" in line


def test_a_binary_configuration_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_bytes(b"model: \x80\xff")
    status, line = said(["fit", "--config", str(tmp_path / "a.yaml")], capsys)
    assert status == 2
    assert "a config file is no text in UTF-8" in line


@pytest.mark.parametrize("command", EXPERIMENT)
def test_an_experiment_without_a_config_is_told_which(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, line = said([command], capsys)
    assert status == 2
    needs, _, example = line.partition(", for example: ")
    assert needs == f"{command} needs an experiment's --config (with model and data)"
    assert example.startswith(f"magenet {command} --config ")
    configs = [word for word in example.split() if word.startswith("magenet:")]
    assert configs
    assert all(config_path(config).is_file() for config in configs)
