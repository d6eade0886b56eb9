"""The name of a run in its loggers says what it tries."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lightning.pytorch.loggers import CSVLogger

from experiments.configurations import BASE, CONFIGS
from magenet.commands.run_loggers import LONGEST, every_logger, folder_of_staged_files, name_runs

RUN = CONFIGS / "runs/phantoms/mean_teacher.yaml"
TINY = CONFIGS / "layers/model/tiny.yaml"
WANDB = CONFIGS / "layers/logging/wandb.yaml"
EXPERIMENT = ["fit", "--config", str(BASE), "--config", str(RUN)]


def options(**logger: Any) -> Any:
    more = SimpleNamespace(class_path="lightning.pytorch.loggers.WandbLogger", init_args=logger)
    first = SimpleNamespace(init_args=SimpleNamespace(name="phantoms"))
    return SimpleNamespace(loggers=[more], trainer=SimpleNamespace(logger=first))


def name(arguments: list[str], **logger: Any) -> dict[str, Any]:
    given = options(**logger)
    name_runs(given, arguments)
    found: dict[str, Any] = given.loggers[0].init_args
    return found


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ([], "phantoms"),
        (["--config", str(TINY), "--config", str(WANDB)], "phantoms,tiny"),
        ([f"--config={TINY}", "--seed_everything=3"], "phantoms,tiny,seed_everything=3"),
        (["--model.decay", "0.2", "--trainer.max_steps=-1"], "phantoms,decay=0.2,max_steps=-1"),
        (["--model.target", "magenet.targets.TeacherTarget"], "phantoms,target=TeacherTarget"),
        (["--data.mix", "{haze: [1, 0, 1]}"], "phantoms,mix=_haze_1_0_1_"),
        (["--ckpt_path", "last", "--loggers+=WandbLogger", "--output.force=true"], "phantoms"),
        (["--trainer.logger.name", "mine", "--trainer.logger=CSVLogger"], "phantoms"),
    ],
)
def test_a_name_is_the_experiment_and_what_is_added_to_it(added: list[str], expected: str) -> None:
    assert name([*EXPERIMENT, *added], name=None) == {"name": expected}


def test_a_name_of_its_own_comes_first_and_a_logger_without_names_gets_none() -> None:
    assert name([*EXPERIMENT, "--model.decay=1"], name="mine") == {"name": "mine,decay=1"}
    assert name([*EXPERIMENT, "--model.decay=1"], save_dir="runs") == {"save_dir": "runs"}
    long = name([*EXPERIMENT, "--model.start", "a" * 200], name=None)["name"]
    assert len(long) == LONGEST


def test_a_saved_configuration_keeps_the_name_of_its_run(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("trainer: {logger: {init_args: {name: phantoms}}}")
    again = ["fit", "--config", str(tmp_path / "config.yaml"), "--ckpt_path", "last"]
    assert name(again, name="phantoms,tiny") == {"name": "phantoms,tiny"}


def test_the_loggers_of_the_trainer_come_first(tmp_path: Path) -> None:
    csv, more = CSVLogger(tmp_path), CSVLogger(tmp_path)
    assert every_logger(csv, [more]) == every_logger([csv], [more]) == [csv, more]
    assert every_logger(True, [more]) == every_logger(None, [more]) == [more]


def test_pictures_wait_for_their_upload_in_the_folder_of_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    loggers = options().loggers
    loggers[0].init_args = SimpleNamespace(save_dir="runs")
    assert folder_of_staged_files(loggers) == str(tmp_path / "runs/wandb")
    loggers[0].class_path = "lightning.pytorch.loggers.TensorBoardLogger"
    assert folder_of_staged_files(loggers) is None
