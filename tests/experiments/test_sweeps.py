"""Every sweep is one to W&B and to `magenet sweep` alike, and its first point trains."""

import importlib.util
import json
import os
import queue
import shlex
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

from experiments.configurations import CONFIGS
from magenet.commands.named_configs import config_path
from magenet.main import main
from magenet.sweeps.parameter import Value
from magenet.sweeps.sweep_file import Sweep, read_sweep
from tests.command_line import TINY, configs, segmenter_for
from tests.conftest import ROOT

NAMES = sorted(path.stem for path in (CONFIGS / "sweeps").glob("*.yaml"))
FAST = "ema_decay"
MOSTLY_SLOW = [n if n == FAST else pytest.param(n, marks=pytest.mark.slow) for n in NAMES]


def sweep_of(name: str) -> Sweep:
    return read_sweep(CONFIGS / "sweeps" / f"{name}.yaml")


def content(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((CONFIGS / "sweeps" / f"{name}.yaml").read_text())
    return read


def points(sweep: Sweep) -> list[dict[str, Value]]:
    """All points of a grid; of another sweep the first and the last values."""
    if sweep.method == "grid":
        return sweep.grid()
    return [{k: p.extremes()[end] for k, p in sweep.parameters.items()} for end in (0, -1)]


@pytest.fixture
def clone(workplace: Path) -> Path:
    """A working folder that looks like the project's, for the paths in commands."""
    (workplace / "experiments").symlink_to(ROOT / "experiments")
    return workplace


def test_there_is_a_sweep_of_each_question() -> None:
    assert NAMES == ["consistency", "degradation", "ema_decay", "loss_weights", "width"]


@pytest.mark.parametrize("name", NAMES)
def test_a_sweep_conforms_to_the_published_schema(name: str) -> None:
    """The schema is in W&B's package `sweeps`, which `make setup` installs."""
    jsonschema = pytest.importorskip("jsonschema")
    spec = importlib.util.find_spec("sweeps")
    if spec is None or spec.origin is None:
        pytest.skip("needs W&B's package: pip install --no-deps sweeps")
    schema = json.loads((Path(spec.origin).parent / "config/schema.json").read_text())
    assert not list(jsonschema.Draft7Validator(schema).iter_errors(content(name)))


@pytest.mark.parametrize("name", NAMES)
def test_wandb_runs_the_command_that_magenet_sweep_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its own reader and its own agent, with a program `magenet` that writes its words down."""
    pytest.importorskip("wandb", reason="needs the extra: pip install 'magenet[wandb]'")
    from wandb.sdk.launch.sweeps.utils import load_sweep_config
    from wandb.wandb_agent import Agent

    sweep, point = sweep_of(name), points(sweep_of(name))[-1]
    config = load_sweep_config(str(CONFIGS / "sweeps" / f"{name}.yaml"))
    assert config == content(name)
    program = tmp_path / "magenet"
    write = "import json, sys; json.dump(sys.argv, open('words.json', 'w'))"
    program.write_text(f"#!{sys.executable}\n{write}\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    with mock.patch.dict(os.environ):  # the agent writes into it
        os.environ["PATH"] = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        os.environ["WANDB_DIR"] = str(tmp_path)
        agent = Agent(None, queue.Queue(), sweep_id="s")
        agent._sweep_command = list(config["command"])
        chosen = {key: {"value": value} for key, value in _drawn(config, point).items()}
        agent._command_run({"run_id": "r", "program": config["program"], "args": chosen})
        process, end = agent._run_processes["r"], time.monotonic() + 240
        while process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.02)
    assert json.loads(Path("words.json").read_text())[1:] == sweep.words(point)[1:]


def _drawn(config: dict[str, Any], point: dict[str, Value]) -> dict[str, Any]:
    """The point with the values that W&B draws: lists as lists."""
    return {
        key: next(
            (v for v in config["parameters"][key].get("values", []) if str(v) == str(value)), value
        )
        for key, value in point.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_point_is_accepted_by_the_command_line(
    name: str, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = sweep_of(name)
    every = points(sweep)
    assert every
    for end in (every[0], every[-1]):
        given = [f"--{key}={value}" for point in every for key, value in point.items()]
        last = [f"--{key}={value}" for key, value in end.items()]
        words = sweep.words(end)[1:]
        with pytest.raises(SystemExit) as stop:
            main([*words, *given, *last, "--print_config"])
        assert stop.value.code == 0
        printed = yaml.safe_load(capsys.readouterr().out)
        for key, value in end.items():
            assert str(_at(printed, key.split("."))) == str(value), key


def _at(tree: Any, path: list[str]) -> Any:
    """What stands at a dotted option in a configuration, whose classes have `init_args`."""
    for part in path:
        tree = tree["init_args"] if "init_args" in tree and part != "init_args" else tree
        tree = tree[part]
    return tree


@pytest.mark.parametrize("name", NAMES)
def test_a_misspelt_parameter_is_refused(
    name: str, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = sweep_of(name)
    words = sweep.words({f"{key}_": p.extremes()[0] for key, p in sweep.parameters.items()})
    with pytest.raises(SystemExit) as stop:
        main([*words[1:], "--print_config"])
    assert stop.value.code == 2
    assert "magenet: error: " in capsys.readouterr().err


@pytest.mark.parametrize("name", MOSTLY_SLOW)
def test_the_first_point_trains_and_logs_the_metric(name: str, clone: Path) -> None:
    sweep = sweep_of(name)
    paths = [config_path(word) for word in sweep.command if word.startswith("magenet:")]
    run = next(path for path in paths if path.is_relative_to(CONFIGS / "runs"))
    model = yaml.safe_load(run.read_text())["model"]["init_args"]
    small = configs("limits.yaml", "small.yaml", *([] if name == "width" else [TINY]))
    words = [*sweep.words(points(sweep)[0])[1:], *small, "--trainer.max_time=null"]
    words += segmenter_for(model)  # of the size of these photographs
    logger = "--trainer.logger=lightning.pytorch.loggers.CSVLogger"
    assert main([*words, logger, "--trainer.logger.save_dir=runs"]) == 0
    (log,) = Path("runs").rglob("metrics.csv")
    assert sweep.metric in log.read_text().partition("\n")[0].split(",")
    assert len(list(Path("runs").rglob("best.ckpt"))) == 1


@pytest.mark.slow
def test_a_real_sweep_of_two_trials(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna", reason="needs the extra: pip install 'magenet[sweep]'")
    words = ["sweep", "magenet:sweeps/ema_decay", "--trials", "2", "-o", "out"]
    options = configs("limits.yaml", "small.yaml", TINY)
    with mock.patch.dict(os.environ, {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}):
        assert main([*words, "--", *options]) == 0
    printed = capsys.readouterr().out
    assert "trial 2: complete, val_teacher/psnr " in printed
    again = shlex.split(printed.partition("train it again:\n  magenet ")[2].partition("\n")[0])
    assert main(again) == 0
    assert list(Path("runs/best_of_ema_decay").rglob("best.ckpt"))
