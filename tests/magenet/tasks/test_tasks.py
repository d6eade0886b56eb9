from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from data_modules import AdaptationDataModule, PairedDataModule, PhantomPhotographs
from magenet.callbacks.resume_point import ResumePoint
from magenet.errors import UserError
from magenet.evaluation import Scores
from magenet.losses import SegmenterTarget
from magenet.models import Enhancer, EnhancerOutput, MAGENet, VesselSegmenter
from magenet.models.peers import CLAHE
from magenet.tasks import ClassicalTask, MeanTeacherTask, SupervisedTask
from magenet.tasks.base import LOOK_EVERY, Batch, cosine_with_warm_up
from tests.magenet.models.test_mage_net import TINY


def data(workers: int = 0, seed: int = 0) -> AdaptationDataModule:
    return AdaptationDataModule(
        PhantomPhotographs(count=8, val_count=2),
        PhantomPhotographs(count=6, val_count=2, camera="handheld"),
        image_size=48, batch_size=2, workers=workers, seed=seed,
    )  # fmt: skip


def task(**kwargs: Any) -> MeanTeacherTask:
    torch.manual_seed(1)
    return MeanTeacherTask(MAGENet(**TINY), **{"supervised_share": 0.0, **kwargs})


def trainer(folder: Path, **kwargs: Any) -> Trainer:
    options: dict[str, Any] = {
        "accelerator": "cpu", "logger": False, "enable_progress_bar": False,
        "enable_model_summary": False, "default_root_dir": folder, "num_sanity_val_steps": 0,
        "enable_checkpointing": False, "gradient_clip_val": 1.0, "limit_val_batches": 1,
    }  # fmt: skip
    return Trainer(**{**options, **kwargs})


class Steps(Callback):
    """Notes the teacher and the student after every batch."""

    def __init__(self) -> None:
        self.updates: list[int] = []
        self.students: list[Tensor] = []
        self.teachers: list[Tensor] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *rest: Any) -> None:
        assert isinstance(pl_module, MeanTeacherTask)
        self.updates.append(pl_module.teacher.num_updates)
        self.students.append(flat(pl_module.network))
        self.teachers.append(flat(pl_module.teacher.network))


def flat(module: torch.nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten().clone() for p in module.parameters()])


def test_the_teacher_is_the_average_of_the_student_and_nothing_else(tmp_path: Path) -> None:
    steps = Steps()
    module = task(ema_decay=0.9)
    expected = flat(module.network)
    trainer(tmp_path, max_steps=4, callbacks=[steps]).fit(module, data())
    for t, (student, teacher) in enumerate(zip(steps.students, steps.teachers, strict=True)):
        decay = min((1 + t) / (10 + t), 0.9)
        expected = decay * expected + (1 - decay) * student
        assert torch.allclose(teacher, expected, atol=1e-6)


def test_the_teacher_moves_after_real_steps_only(tmp_path: Path) -> None:
    steps = Steps()
    trainer(tmp_path, max_steps=2, accumulate_grad_batches=2, callbacks=[steps]).fit(task(), data())
    assert steps.updates == [0, 1, 1, 2]


def test_the_optimizer_never_sees_the_teacher(tmp_path: Path) -> None:
    module = task()
    running = trainer(tmp_path, max_steps=1)
    running.fit(module, data())
    held = {p.data_ptr() for group in running.optimizers[0].param_groups for p in group["params"]}
    assert held == {p.data_ptr() for p in module.network.parameters()}
    assert held.isdisjoint(p.data_ptr() for p in module.teacher.parameters())
    assert all(p.grad is None for p in module.teacher.parameters())


def test_consistency_waits_then_rises() -> None:
    module = task(supervised_share=0.1, ramp_share=0.5, consistency_weight=0.2)
    module.total_steps = 100
    weights = []
    for step in range(100):
        type(module).global_step = property(lambda self, step=step: step)  # type: ignore[method-assign, assignment, misc]
        weights.append(module.current_weight())
    del type(module).global_step
    assert weights[:10] == [0.0] * 10
    assert weights[10] > 0
    assert weights == sorted(weights)
    assert weights[60:] == [0.2] * 40


def test_real_photographs_reach_the_student_through_the_teacher(tmp_path: Path) -> None:
    """Without the consistencies another real set changes nothing; with them it does."""
    results = {}
    for weight in (0.0, 1.0):
        for camera in ("handheld", "clinic"):
            module = task(consistency_weight=weight, ramp_share=1e-9)
            source = AdaptationDataModule(
                PhantomPhotographs(count=4, val_count=2),
                PhantomPhotographs(count=4, val_count=2, camera=camera),
                image_size=48, batch_size=2, workers=0,
            )  # fmt: skip
            trainer(tmp_path, max_steps=3).fit(module, source)
            results[weight, camera] = flat(module.network)
    assert torch.equal(results[0.0, "handheld"], results[0.0, "clinic"])
    assert not torch.allclose(results[1.0, "handheld"], results[1.0, "clinic"], atol=1e-6)


@pytest.mark.parametrize(
    ("workers", "step", "validate_every"),
    [(0, 3, None), (1, 6, None), (0, 6, 3)],  # an epoch has 4 steps
)
def test_resumed_equals_uninterrupted_bit_for_bit(
    tmp_path: Path, workers: int, step: int, validate_every: int | None
) -> None:
    def checkpoints(folder: Path) -> ModelCheckpoint:
        return ModelCheckpoint(folder, "{step}", every_n_train_steps=1, save_top_k=-1)

    options: dict[str, Any] = {
        "max_steps": 9, "max_epochs": -1, "enable_checkpointing": True,
        "val_check_interval": validate_every,
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
    assert whole.teacher.num_updates == resumed.teacher.num_updates == 9


def test_resume_points_follow_each_other_and_avoid_the_end_of_an_epoch(tmp_path: Path) -> None:
    from lightning.pytorch.loggers import CSVLogger

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
    steps = [[], [2], [2], [2], [5], [5], [7], [7], [9]]
    assert kept == [[f"step_{step:06d}.ckpt" for step in saved] for saved in steps]


def test_supervised_training_helps(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = SupervisedTask(
        MAGENet(**TINY), optimizer=lambda p: torch.optim.Adam(p, lr=5e-3), warm_up=0.05
    )
    from magenet.degradation import CofeDegradation

    source = PairedDataModule(
        PhantomPhotographs(count=32, val_count=8), CofeDegradation(("illumination",)),
        image_size=48, batch_size=8, workers=0,
    )  # fmt: skip
    running = trainer(tmp_path, max_steps=60, limit_val_batches=None, check_val_every_n_epoch=15)
    running.fit(module, source)
    gained = running.callback_metrics["val/psnr"] - running.callback_metrics["val_input/psnr"]
    assert float(gained) > 1.5


def test_scores_name_student_teacher_and_input(tmp_path: Path) -> None:
    from lightning.pytorch.loggers import CSVLogger

    module = task()
    running = trainer(
        tmp_path, logger=CSVLogger(tmp_path, name="", version="run"), callbacks=[Scores()]
    )
    running.test(module, data())
    metrics = running.callback_metrics
    assert {"test/psnr_spots", "test_teacher/psnr_spots", "test_input/ssim_blur"} <= set(metrics)
    # An untrained network is the identity: all three must agree.
    assert float(metrics["test/psnr_spots"]) == pytest.approx(
        float(metrics["test_input/psnr_spots"]), abs=0.05
    )
    lines = (tmp_path / "run/scores.csv").read_text().splitlines()
    assert len(lines) == 1 + 4 * 9 * 2, (
        "input, student, teacher, clean; nine conditions; two photographs"
    )


class Broken(Enhancer):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, image: Tensor, mask: Tensor | None = None) -> EnhancerOutput:
        return EnhancerOutput((image + self.weight / 0.0,))


def test_a_loss_that_is_not_finite_names_the_photographs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nan at step 0.*phantom_clinic_\d+, phantom_clinic_\d+"):
        trainer(tmp_path, max_steps=1).fit(SupervisedTask(Broken()), data().paired)


def test_a_failed_training_is_not_saved(tmp_path: Path) -> None:
    point = ResumePoint(every_n_steps=1)
    running = trainer(tmp_path, max_steps=4, callbacks=[point], logger=True)
    with pytest.raises(UserError, match="nan at step 0"):
        running.fit(SupervisedTask(Broken()), data().paired)
    assert not list(tmp_path.rglob("*.ckpt"))


class FundusCheck(TorchDispatchMode):
    """Counts how often a number leaves its tensor: on a GPU, the host would wait each time."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


def test_a_step_never_waits_for_a_number(tmp_path: Path) -> None:
    looks: list[int] = []

    class Watched(MeanTeacherTask):
        def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
            with FundusCheck() as mode:
                loss = super().training_step(batch, batch_idx)
            looks.append(mode.count)
            return loss

    torch.manual_seed(1)
    module = Watched(MAGENet(**TINY), supervised_share=0.0)
    trainer(tmp_path, max_steps=LOOK_EVERY + 1, max_epochs=-1).fit(module, data())
    assert looks[: LOOK_EVERY - 1] == [0] * (LOOK_EVERY - 1)
    assert looks[LOOK_EVERY - 1] == 1, "one look at all losses since the last"


def test_a_checkpoint_of_another_network_is_one_line() -> None:
    other = MAGENet(**{**TINY, "widths": [12, 8, 12, 16]})
    with pytest.raises(UserError, match=r"another network: '.*' is .* in it and .* in the model"):
        SupervisedTask(MAGENet(**TINY)).load_state_dict(SupervisedTask(other).state_dict())


def test_a_mean_teacher_refuses_what_it_cannot_live_with(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="bf16-mixed, not bf16-true"):
        trainer(tmp_path, max_steps=1, precision="bf16-true").fit(task(), data())
    with pytest.raises(UserError, match="mixed batches"):
        trainer(tmp_path, max_steps=1).fit(task(), data().paired)
    with pytest.raises(ValueError, match="ramp_share"):
        task(ramp_share=0.0)


def test_a_schedule_without_an_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="max_steps"):
        trainer(tmp_path, max_epochs=-1).fit(SupervisedTask(MAGENet(**TINY)), data().paired)


def test_classical_enhancers_do_not_train(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="CLAHE has nothing to learn"):
        trainer(tmp_path, max_steps=1).fit(ClassicalTask(CLAHE()), data().paired)


def test_learning_rate_warms_up_and_falls() -> None:
    factors = [cosine_with_warm_up(i / 100, 0.1) for i in range(101)]
    assert factors[:11] == sorted(factors[:11])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert max(factors) == pytest.approx(1.0)
    assert factors[-1] == pytest.approx(0.005)


def test_a_training_starts_from_another_ones_weights(tmp_path: Path) -> None:
    first = task()
    runner = trainer(tmp_path, max_steps=1, enable_checkpointing=True)
    runner.fit(first, data())
    runner.save_checkpoint(tmp_path / "first.ckpt")
    torch.manual_seed(9)
    second = MeanTeacherTask(MAGENet(**TINY), start=str(tmp_path / "first.ckpt"))
    seen = Steps()
    trainer(tmp_path, max_steps=1, callbacks=[seen]).fit(second, data())
    # One step at the start of the warm-up moves a weight by less than 1e-4.
    assert float((seen.students[0] - flat(first.network)).abs().max()) < 1e-4
    assert float((seen.teachers[0] - flat(first.network)).abs().max()) < 1e-4
    with pytest.raises(UserError, match="no such checkpoint"):
        trainer(tmp_path, max_steps=1).fit(task(start="nowhere.ckpt"), data())


class Reader(VesselSegmenter):
    """Counts what it is shown."""

    shown = 0

    def forward(self, image: Tensor) -> Tensor:
        self.shown += 1
        return super().forward(image)


def test_preservation_pulls_the_enhanced_photograph_to_the_clean_ones_vessels() -> None:
    """The loss reads the result, its gradient reaches the network and never the reader."""
    reader = Reader(width=8, growth=4, blocks=1)
    torch.nn.init.normal_(reader.head.weight)
    target = SegmenterTarget(reader)
    batch = data().paired.prepare(sample_batch(), training=False)
    losses = {}
    for weight in (0.0, 1.0):
        torch.manual_seed(1)
        own = SupervisedTask(MAGENet(**TINY), target, preservation_weight=weight)
        own.log = lambda *args, **kwargs: None  # type: ignore[method-assign]  # no trainer here
        reader.shown = 0
        losses[weight] = own.training_loss(batch)
        assert reader.shown == (2 if weight else 1)
    losses[1.0].backward()
    assert float(losses[1.0]) > float(losses[0.0])
    assert float(own.student.correct[-1].head.weight.grad.abs().max()) > 0.0  # type: ignore[union-attr, operator, attr-defined]
    assert all(parameter.grad is None for parameter in reader.parameters())


def test_preservation_needs_a_target_that_reads() -> None:
    with pytest.raises(ValueError, match="SegmenterTarget"):
        SupervisedTask(MAGENet(**TINY), preservation_weight=0.1)


def sample_batch() -> Batch:
    loader = data().train_dataloader()
    return next(iter(loader))[0]["synthetic"]  # type: ignore[no-any-return]
