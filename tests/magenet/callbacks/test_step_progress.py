"""The line of progress: by time, with the step, of how many, the time left and plain names."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel

from magenet.callbacks.step_progress import StepProgress

START = 1000.0


class Slow(BoringModel):
    """A network whose steps take as long as it is told, by a clock of its own."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.now = seconds, START

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        self.now += self.seconds
        output = super().training_step(batch, batch_idx)
        self.log("train/loss", torch.tensor(0.5), prog_bar=True)
        return output

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        self.now += self.seconds
        self.log("val_teacher/psnr", torch.tensor(27.25), prog_bar=True)


def lines_of(
    seconds: float, folder: Path, capsys: pytest.CaptureFixture[str], **changes: Any
) -> list[str]:
    """Return the states that are shown in a training of four steps of this length."""
    model = Slow(seconds)
    options: dict[str, Any] = {
        "accelerator": "cpu", "logger": False, "enable_model_summary": False, "max_steps": 4,
        "limit_val_batches": 2, "val_check_interval": 2, "num_sanity_val_steps": 0,
        "default_root_dir": folder,
        "callbacks": [StepProgress(), ModelCheckpoint(folder, monitor="val_teacher/psnr")],
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("magenet.callbacks.step_progress.time.monotonic", lambda: model.now)
        Trainer(**{**options, **changes}).fit(model)
    shown = re.split(r"[\r\n]+", capsys.readouterr().out)
    return [line.split(" |")[0].strip() for line in shown if line.startswith("training")]


def test_slow_steps_are_shown_one_by_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = lines_of(90.0, tmp_path, capsys)
    assert lines[0] == "training: step 0 of 4"
    assert "training: step 1 of 4, 4 min left, loss 0.5" in lines
    assert any(line.endswith(", validation: batch 1 of 2") for line in lines)
    assert lines[-1] == "training: step 4 of 4, loss 0.5, PSNR of the teacher 27.25 (best 27.25)"


def test_fast_steps_are_not_all_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = set(lines_of(1.0, tmp_path, capsys))
    steps = {re.sub(r" of 4.*", "", line) for line in lines}
    assert steps == {"training: step 0", "training: step 4"}, "none within 30 s"


def test_steps_are_those_of_the_optimizer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = {"accumulate_grad_batches": 2, "val_check_interval": 1.0, "limit_val_batches": 0}
    lines = lines_of(90.0, tmp_path, capsys, **changes)
    assert lines[-1].startswith("training: step 4 of 4")
    assert "training: step 1 of 4, 9 min left, loss 0.5" in lines, "two batches a step"


def test_a_resumed_training_counts_from_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines_of(90.0, tmp_path, capsys)
    checkpoint = next(tmp_path.glob("*.ckpt"))
    model = Slow(90.0)
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_model_summary=False, max_steps=6,
        limit_val_batches=0, callbacks=[StepProgress()], default_root_dir=tmp_path,
        enable_checkpointing=False,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("magenet.callbacks.step_progress.time.monotonic", lambda: model.now)
        trainer.fit(model, ckpt_path=checkpoint)
    shown = capsys.readouterr().out
    done = torch.load(checkpoint, weights_only=True)["global_step"]
    assert f"training: step {done} of 6" in shown
    assert f"training: step {done + 1} of 6, {(5 - done) * 90 // 60} min left" in shown


@pytest.mark.parametrize(("function", "verb"), [("validate", "validating"), ("test", "testing")])
def test_other_stages_count_batches(
    function: str, verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = Trainer(
        accelerator="cpu", logger=False, limit_val_batches=3, limit_test_batches=3,
        callbacks=[StepProgress()], default_root_dir=tmp_path,
    )  # fmt: skip
    getattr(trainer, function)(BoringModel(), verbose=False)
    assert f"{verb}: batch 3 of 3" in capsys.readouterr().out
