"""Configurations by name: each exists once, and a wrong name is answered with those there are."""

import pytest

from magenet.commands.named_configs import BASE, config_path, names, with_paths
from magenet.errors import UsageError
from magenet.installation import CONFIGS
from magenet.main import main


def test_every_configuration_has_one_name() -> None:
    files = sorted(CONFIGS.rglob("*.yaml"))
    assert sorted(names().values()) == files
    assert len(names()) == len(files) > 50


@pytest.mark.parametrize("given", ["phantoms/mean_teacher", "runs/phantoms/mean_teacher.yaml"])
def test_a_run_may_be_named_in_short(given: str) -> None:
    assert config_path(f"magenet:{given}") == CONFIGS / "runs/phantoms/mean_teacher.yaml"


@pytest.mark.parametrize("given", ["phantoms/mean_techer", "", "../../pyproject", "phantoms"])
def test_a_wrong_name_lists_all_others(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", f"magenet:{given}"]) == 2
    first, *others = capsys.readouterr().err.splitlines()
    assert first.startswith(f"magenet: error: magenet:{given}: no such configuration")
    assert ("did you mean phantoms/mean_teacher?" in first) == ("techer" in given)
    assert " ".join(others).split() == sorted(names(), key=lambda name: name.rpartition("/")[0])
    assert max(map(len, others)) <= 102


def test_base_comes_before_a_named_run_unless_something_else_does() -> None:
    run = CONFIGS / "runs/predict.yaml"
    assert with_paths(["predict", "--config", "magenet:predict", "--output.raw", "true"]) == [
        "predict", f"--config={BASE}", f"--config={run}", "--output.raw", "true",
    ]  # fmt: skip
    for first in ("magenet:base", str(BASE), "mine.yaml"):
        words = with_paths(["predict", f"--config={first}", "--config=magenet:predict"])
        path = first.replace("magenet:base", str(BASE))
        assert words == ["predict", f"--config={path}", f"--config={run}"]


def test_a_missing_value_is_left_to_the_parser() -> None:
    assert with_paths(["fit", "--config"]) == ["fit", "--config"]


def test_a_name_is_a_path_to_a_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "magenet:sweeps/ema_deca"]) == 2
    assert "did you mean sweeps/ema_decay?" in capsys.readouterr().err


def test_only_a_name_is_looked_up() -> None:
    with pytest.raises(UsageError):
        config_path("magenet:runs")
    assert str(config_path("runs/mine.yaml")) == "runs/mine.yaml"
