import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from magenet.callbacks.resume_point import ResumePoint
from magenet.errors import StoppedError
from magenet.models import MAGENet
from magenet.tasks import MeanTeacherTask
from tests.magenet.models.test_mage_net import TINY
from tests.magenet.tasks.tiny import data, flat, task, trainer


@pytest.mark.parametrize(
    ("workers", "step", "validate_every", "length"),
    [  # an epoch has 4 steps
        (0, 3, None, {"max_steps": 9, "max_epochs": -1}),
        pytest.param(1, 6, None, {"max_steps": 9, "max_epochs": -1}, marks=pytest.mark.slow),
        (0, 6, 3, {"max_steps": 9, "max_epochs": -1}),
        (0, 3, None, {"max_epochs": 3}),
        (1, 6, None, {"max_epochs": 3}),
        pytest.param(2, 7, 3, {"max_epochs": 3}, marks=pytest.mark.slow),
    ],
)
def test_resumed_equals_uninterrupted_bit_for_bit(
    tmp_path: Path, workers: int, step: int, validate_every: int | None, length: dict[str, int]
) -> None:
    def checkpoints(folder: Path) -> ModelCheckpoint:
        return ModelCheckpoint(folder, "{step}", every_n_train_steps=1, save_top_k=-1)

    options: dict[str, Any] = {
        **length, "enable_checkpointing": True, "val_check_interval": validate_every,
        "check_val_every_n_epoch": None if validate_every else 1,
    }  # fmt: skip
    whole = task()
    trainer(tmp_path, callbacks=[checkpoints(tmp_path)], **options).fit(whole, data(workers))

    torch.manual_seed(99)  # the resumed process has another random state
    resumed = MeanTeacherTask(MAGENet(**TINY), supervised_share=0.0)
    middle = tmp_path / f"step={step}.ckpt"
    trainer(tmp_path / "resumed", **options).fit(
        resumed, data(workers), ckpt_path=middle, weights_only=True
    )
    assert torch.equal(flat(whole.network), flat(resumed.network))
    assert torch.equal(flat(whole.teacher.network), flat(resumed.teacher.network))
    assert whole.teacher.num_updates == resumed.teacher.num_updates >= 9


def test_resume_points_follow_each_other_and_avoid_the_end_of_an_epoch(tmp_path: Path) -> None:
    kept: list[list[str]] = []

    class Look(Callback):
        def on_train_batch_end(self, *rest: Any) -> None:
            kept.append(sorted(p.name for p in tmp_path.rglob("step_*.ckpt")))

    logger = CSVLogger(tmp_path, name="", version="run")
    options: dict[str, Any] = {"max_steps": 9, "max_epochs": -1, "logger": logger}
    whole = task()
    trainer(tmp_path, callbacks=[ResumePoint(every_n_steps=2), Look()], **options).fit(
        whole, data()
    )
    # An epoch has 4 steps: step 4 and step 8 end one, so 5 and 9 stand in for them.
    steps = [[], [2], [2], [2], [2, 5], [2, 5], [5, 7], [5, 7], [7, 9]]
    assert kept == [[f"step_{step:06d}.ckpt" for step in saved] for saved in steps]


def test_a_resumed_training_misses_no_validation(tmp_path: Path) -> None:
    """An epoch has 4 steps: after step 3 and 6 a validation is due, and so is a resume point."""
    options: dict[str, Any] = {
        "max_epochs": -1, "check_val_every_n_epoch": None, "val_check_interval": 3,
        "enable_checkpointing": True,
    }  # fmt: skip
    validated: list[int] = []

    class Note(Callback):
        def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            validated.append(trainer.global_step)

    def parts(run: str) -> dict[str, Any]:
        best = ModelCheckpoint(tmp_path, "best", monitor="val/psnr", mode="max")
        logger = CSVLogger(tmp_path, name="", version=run)
        return {"callbacks": [ResumePoint(every_n_steps=3), best, Note()], "logger": logger}

    trainer(tmp_path, max_steps=7, **options, **parts("one")).fit(task(), data())
    point = max(tmp_path.glob("one/checkpoints/step_*.ckpt"))
    validated.clear()
    trainer(tmp_path, max_steps=9, **options, **parts("other")).fit(
        task(), data(), ckpt_path=point, weights_only=True
    )
    after = int(point.stem.removeprefix("step_"))
    assert validated == [step for step in (3, 6, 9) if step > after]
    assert not {3, 6} & {int(p.stem[5:]) for p in tmp_path.rglob("step_*.ckpt")}


def test_a_training_that_is_validated_at_every_step_has_resume_points(tmp_path: Path) -> None:
    trainer(
        tmp_path, max_steps=3, max_epochs=-1, accumulate_grad_batches=2, val_check_interval=2,
        check_val_every_n_epoch=None, callbacks=[ResumePoint(every_n_steps=1)],
        logger=CSVLogger(tmp_path, name="", version="run"),
    ).fit(task(), data())  # fmt: skip
    assert list(tmp_path.rglob("step_*.ckpt"))


@pytest.mark.parametrize(("batches", "accumulated"), [(1, 1), (2, 1), (2, 2), (3, 2)])
def test_a_run_that_cannot_save_says_so_at_its_start_and_can_be_stopped(
    tmp_path: Path, batches: int, accumulated: int, capsys: pytest.CaptureFixture[str]
) -> None:
    class Stop(Callback):
        def on_train_batch_start(self, *rest: Any) -> None:
            signal.raise_signal(signal.SIGTERM)

    never = batches <= accumulated
    stopped = trainer(
        tmp_path, max_steps=6, max_epochs=-1, limit_train_batches=batches,
        accumulate_grad_batches=accumulated, callbacks=[Stop(), ResumePoint(every_n_steps=1)],
        logger=CSVLogger(tmp_path, name="", version="run"),
    )  # fmt: skip
    with pytest.raises(StoppedError, match="nothing is saved" if never else "go on with"):
        stopped.fit(task(), data())
    assert capsys.readouterr().err.count("Ctrl-C will save nothing") == never
    assert bool(list(tmp_path.rglob("step_*.ckpt"))) != never
    assert stopped.global_step == 1, "it waits for no later step"


@pytest.mark.parametrize("validated", [False, True])
def test_a_training_without_validation_is_not_lost(
    tmp_path: Path, validated: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    best = ModelCheckpoint(tmp_path, "best", monitor="val/psnr", mode="max")
    trained = task()
    trainer(
        tmp_path, max_steps=2, max_epochs=-1, enable_checkpointing=True,
        val_check_interval=2 if validated else None, callbacks=[ResumePoint(), best],
        check_val_every_n_epoch=None if validated else 1,
        logger=CSVLogger(tmp_path, name="", version="run"),
    ).fit(trained, data())  # fmt: skip
    saved = tmp_path / "run/checkpoints/step_000002.ckpt"
    assert (tmp_path / "best.ckpt").is_file() == validated
    assert saved.is_file() == (not validated)
    assert (str(saved) in capsys.readouterr().err) == (not validated)
    if not validated:
        _same_weights(saved, trained)


def test_a_resumed_training_without_another_validation_is_not_lost(tmp_path: Path) -> None:
    """An epoch has 4 steps: validated after step 3, stopped after 5, and resumed up to 6."""

    def parts(run: str) -> dict[str, Any]:
        best = ModelCheckpoint(tmp_path / run, "best", monitor="val/psnr", mode="max")
        return {
            "callbacks": [ResumePoint(every_n_steps=5), best], "max_epochs": -1,
            "enable_checkpointing": True, "val_check_interval": 3,
            "check_val_every_n_epoch": None, "logger": CSVLogger(tmp_path, name="", version=run),
        }  # fmt: skip

    trainer(tmp_path, max_steps=5, **parts("one")).fit(task(), data())
    assert (tmp_path / "one/best.ckpt").is_file()
    point = tmp_path / "one/checkpoints/step_000005.ckpt"
    resumed = task()
    options = parts("other") | {"val_check_interval": 100}
    trainer(tmp_path, max_steps=6, **options).fit(
        resumed, data(), ckpt_path=point, weights_only=True
    )
    _same_weights(tmp_path / "other/checkpoints/step_000006.ckpt", resumed)


def _same_weights(saved: Path, trained: LightningModule) -> None:
    """Require a checkpoint to hold the weights of a training."""
    weights = torch.load(saved, weights_only=True)["state_dict"]
    for name, weight in trained.state_dict().items():
        assert torch.equal(weights[name], weight), name
