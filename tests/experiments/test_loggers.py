"""What a run leaves in the loggers beside its CSV files, read back as their own programs do."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning_utilities.core.imports import RequirementCache
from PIL import Image

from experiments.configurations import BASE, CONFIGS
from magenet.main import main
from tests.command_line import TINY, configs

pytestmark = pytest.mark.usefixtures("workplace")

PHANTOMS = CONFIGS / "runs/phantoms/mean_teacher.yaml"
WANDB = CONFIGS / "layers/logging/wandb.yaml"
NUMBERS = CONFIGS / "layers/logging/wandb_numbers.yaml"
TENSORBOARD = CONFIGS / "layers/logging/tensorboard.yaml"
LAYERS = [BASE, PHANTOMS, TINY, "limits.yaml", "small.yaml"]
OPTIONS = ["--model.ema_decay", "0.9", "--trainer.log_every_n_steps", "1"]
CONDITIONS = 9
COLUMNS = ["input", "student", "teacher", "clean", "structure", "uncertainty"]
NAME = "phantoms_mean_teacher,tiny,limits,small,ema_decay=0.9,log_every_n_steps=1"


def offline_runs() -> list[list[dict[str, Any]]]:
    """The records of each run, first to last, as W&B's own program reads them."""
    program = Path(sys.executable).with_name("wandb")
    runs = sorted(Path("runs/wandb").glob("offline-run-*"), key=lambda run: run.stat().st_ctime_ns)
    lines = [
        subprocess.run(
            [program, "leet", "inspect", "--json", run], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        for run in runs
    ]
    return [[json.loads(line) for line in run] for run in lines]


def artifacts(records: list[dict[str, Any]], kind: str) -> dict[str, Path]:
    """The files of the artifacts of a kind, where W&B will upload them from."""
    return {
        file["path"]: Path(file["local_path"])
        for record in records
        if record["type"] == "artifact" and record["artifact"]["type"] == kind
        for file in record["artifact"]["manifest"]["contents"]
    }


def history(records: list[dict[str, Any]]) -> dict[str, Any]:
    """The last value of everything that was logged."""
    items = [record["history"]["item"] for record in records if record["type"] == "history"]
    return {key: value for item in items for key, value in item.items()}


def test_an_offline_run_of_wandb_holds_numbers_pictures_and_files() -> None:
    wandb = pytest.importorskip("wandb", reason="needs the extra: pip install 'magenet[wandb]'")
    wandb.teardown()  # its process, if a test has begun one, writes below that test's folder
    assert main(["fit", *configs(*LAYERS, WANDB), *OPTIONS]) == 0
    (run,) = Path("runs/phantoms_mean_teacher").glob("version_*")
    best = next(run.rglob("best.ckpt"))
    trained = [*configs(run / "config.yaml"), "--ckpt_path", str(best)]
    assert main(["test", *trained, "--trainer.logger.name", "tested"]) == 0

    fit, test = offline_runs()
    begun = next(record["run"] for record in fit if record["type"] == "run")
    assert begun["display_name"] == NAME
    assert {"val/psnr", "val_teacher/psnr", "train/loss", "val_real/contrast_gain"} <= set(
        history(fit)
    )
    assert any("val/pictures" in key for key in history(fit))
    pictures = artifacts(fit, "run_table")
    (name,) = (name for name in pictures if name.endswith(".table.json"))
    table = json.loads(pictures[name].read_text())
    assert table["columns"] == ["photograph", "condition", *COLUMNS]
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert len({row["condition"] for row in rows}) == CONDITIONS + 1  # and the real ones
    for row in rows:
        missing = [name for name in COLUMNS if row[name] is None]
        assert missing == (["clean"] if row["condition"] == "real" else [])
    with Image.open(pictures[rows[0]["teacher"]["path"]]) as picture:
        assert picture.size == (48, 48)
    (checkpoint,) = artifacts(fit, "model").values()
    assert checkpoint.samefile(best)
    files = artifacts(fit, "run_files")
    assert {"config.yaml", "metrics.csv"} <= set(files)
    assert any(name.startswith("validation/step_") for name in files)

    files = artifacts(test, "run_files")
    assert {"results.json", "scores.csv", "provenance.json"} <= set(files)
    assert any(name.endswith(".png") for name in files)
    assert any(name.startswith("test/psnr_") for name in history(test))
    for records in (fit, test):
        for path in {**artifacts(records, "run_files"), **artifacts(records, "run_table")}.values():
            assert path.resolve().is_relative_to(Path("runs").resolve())
            assert path.is_file()


def test_with_numbers_alone_no_photograph_or_checkpoint_is_sent() -> None:
    wandb = pytest.importorskip("wandb", reason="needs the extra: pip install 'magenet[wandb]'")
    wandb.teardown()
    assert main(["fit", *configs(*LAYERS, NUMBERS), *OPTIONS]) == 0
    (fit,) = offline_runs()
    begun = next(record["run"] for record in fit if record["type"] == "run")
    assert begun["display_name"] == NAME
    assert {"val/psnr", "train/loss"} <= set(history(fit))
    assert not any("pictures" in key for key in history(fit))
    assert not any(record["type"] == "artifact" for record in fit)
    kept = {path.suffix for path in Path("runs/wandb").rglob("*") if path.is_file()}
    assert not kept & {".png", ".jpg", ".ckpt", ".csv"}


def test_tensorboard_holds_numbers_configuration_and_a_sheet() -> None:
    pytest.importorskip("tensorboard", reason="needs the extra: pip install 'magenet[tensorboard]'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert main(["fit", *configs(*LAYERS, TENSORBOARD), *OPTIONS]) == 0
    events = EventAccumulator(str(Path("runs/tensorboard", NAME, "version_0"))).Reload()
    assert {"val/psnr", "val_teacher/psnr", "train/loss"} <= set(events.Tags()["scalars"])
    (sheet,) = events.Images("val/pictures")
    assert (sheet.step, sheet.width) == (2, len(COLUMNS) * 52 - 4)
    hyperparameters = yaml.safe_load(
        next(Path("runs/tensorboard").rglob("hparams.yaml")).read_text()
    )
    assert hyperparameters["model"]["init_args"]["ema_decay"] == 0.9


def test_wandb_without_an_account_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wandb = pytest.importorskip("wandb", reason="needs the extra: pip install 'magenet[wandb]'")

    def refuse(**options: Any) -> None:
        raise wandb.errors.UsageError("No API key configured. Use `wandb login` to log in.")

    monkeypatch.setattr(wandb, "init", refuse)
    assert main(["fit", *configs(*LAYERS, WANDB)]) == 1
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("magenet: error")]
    assert "No API key" in line
    assert "WANDB_MODE=offline" in line


def test_a_logger_without_its_package_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = RequirementCache("no_such_package>=1.0")
    monkeypatch.setattr("lightning.pytorch.loggers.wandb._WANDB_AVAILABLE", missing)
    assert main(["fit", *configs(*LAYERS, WANDB)]) == 2
    assert "pip install -U 'no_such_package" in capsys.readouterr().err
