"""Limits are what was written, and the precision is what the processor is faster in."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, Optional, Union

import pytest
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import Trainer

from experiments.configurations import BASE, CONFIGS
from magenet.callbacks import StepProgress
from magenet.commands.experiment import run
from magenet.commands.experiment_trainer import ExperimentTrainer, choose_precision
from magenet.tasks import ClassicalTask
from tests.command_line import configs

LIMIT = CONFIGS / "layers/debug/limit.yaml"
SMALL = """
data:
  init_args:
    image_size: 32
    batch_size: 2
    workers: 0
    photographs: {init_args: {count: 8, val_count: 8}}
trainer: {logger: false, callbacks: null, enable_progress_bar: false, accelerator: cpu}
"""


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The batches that a validation has seen."""
    seen: list[str] = []
    step = ClassicalTask.validation_step

    def counted(task: ClassicalTask, *arguments: Any) -> None:
        seen.append("batch")
        step(task, *arguments)

    monkeypatch.setattr(ClassicalTask, "validation_step", counted)
    return seen


@pytest.mark.parametrize(
    ("limit", "expected"), [("1", 1), ("2", 2), ("0.5", 2), ("1.0", 4), ("null", 4)]
)
def test_a_limit_is_a_number_of_batches_or_a_share(
    limit: str,
    expected: int,
    batches: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As Python's cache leaves it where another package named the types in this order.
    turned = Optional[Union[float, int]]  # noqa: UP007, UP045
    monkeypatch.setitem(Trainer.__init__.__annotations__, "limit_val_batches", turned)
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "limit.yaml").write_text(f"trainer: {{limit_val_batches: {limit}}}\n")
    layers = configs(
        BASE, CONFIGS / "runs/classical.yaml", LIMIT, tmp_path / "small.yaml",
        tmp_path / "limit.yaml",
    )  # fmt: skip
    run(["validate", *layers])
    assert len(batches) == expected


def test_our_line_of_progress_is_the_only_one_and_may_be_left_out() -> None:
    quiet: dict[str, Any] = {"logger": False, "accelerator": "cpu", "enable_model_summary": False}
    assert isinstance(ExperimentTrainer(**quiet).progress_bar_callback, StepProgress)
    without = ExperimentTrainer(**quiet, enable_progress_bar=False)
    assert without.progress_bar_callback is None
    own = StepProgress()
    assert ExperimentTrainer(**quiet, callbacks=own).progress_bar_callback is own


@pytest.mark.parametrize("fast", [True, False])
def test_bf16_is_chosen_where_the_cpu_is_faster_in_it(
    fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"amx_bf16": fast})
    chosen, told = choose_precision(None, "cpu")
    assert chosen == ("bf16-mixed" if fast else "32-true")
    assert told.startswith(f"precision {chosen}: ")
    assert "\n" not in told
    given, told = choose_precision("bf16-mixed", "cpu")
    assert given == "bf16-mixed", "what was asked for"
    assert bool(told) != fast, "only if it is slow"
    assert choose_precision("32-true", "cpu") == ("32-true", "")


def test_the_choice_is_told_and_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cpu.get_capabilities", dict)
    small = SMALL.replace("logger: false, ", "")
    Path("small.yaml").write_text(small)
    cli = run(["validate", *configs(BASE, CONFIGS / "runs/classical.yaml", "small.yaml", LIMIT)])
    assert cli.trainer.precision == "32-true"
    told = [x for x in capsys.readouterr().err.splitlines() if x.startswith("precision 32-true: ")]
    assert len(told) == 1
    (saved,) = Path("runs").rglob("config.yaml")
    assert "precision: 32-true" in saved.read_text()
    assert sys.argv == ["magenet"]


@pytest.mark.parametrize("by_torchrun", [False, True])
def test_a_job_of_slurm_saves_by_our_own_callback(
    by_torchrun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = {"NTASKS": "1", "JOB_NAME": "train", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}
    for name, value in job.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    if by_torchrun:
        for name in ("RANK", "LOCAL_RANK", "GROUP_RANK"):
            monkeypatch.setenv(name, "0")
        for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
            monkeypatch.setenv(name, "1")
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    options: dict[str, Any] = {
        "accelerator": "cpu", "strategy": "ddp", "devices": 1, "logger": False,
        "enable_checkpointing": False,
    }  # fmt: skip
    environment = ExperimentTrainer(**options)._accelerator_connector.cluster_environment
    assert isinstance(environment, SLURMEnvironment) != by_torchrun
    assert not getattr(environment, "auto_requeue", False)
    own = SLURMEnvironment(auto_requeue=True)
    trainer = ExperimentTrainer(**options, plugins=[own])
    assert trainer._accelerator_connector.cluster_environment is own, "what a person chose"


@pytest.mark.parametrize("interval", ["00:00:05:00", timedelta(minutes=5), {"minutes": 5}])
def test_validations_by_the_clock_are_for_one_device(interval: Any) -> None:
    options: dict[str, Any] = {
        "accelerator": "cpu", "logger": False, "enable_checkpointing": False,
        "val_check_interval": interval,
    }  # fmt: skip
    ExperimentTrainer(**options, devices=1)
    with pytest.raises(ValueError, match=r"for one device: .*a number of batches"):
        ExperimentTrainer(**options, devices=2, strategy="ddp")
