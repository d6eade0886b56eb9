from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from data_modules import AdaptationDataModule, PhantomPhotographs
from magenet.errors import UserError
from magenet.evaluation import Scores
from magenet.losses import AdversarialTerm, DirectionLoss
from magenet.models import MAGENet
from magenet.targets import TeacherTarget
from magenet.tasks import MeanTeacherTask
from tests.magenet.losses.test_severity import measure
from tests.magenet.models.test_mage_net import TINY
from tests.magenet.tasks.tiny import Steps, data, flat, task, trainer


def test_the_teacher_is_the_average_of_the_student_and_nothing_else(tmp_path: Path) -> None:
    steps = Steps()
    module = task(ema_decay=0.9)
    expected = flat(module.network)
    trainer(tmp_path, max_steps=4, callbacks=[steps]).fit(module, data())
    assert len(steps.students) == len(steps.teachers) == 4
    for t, (student, teacher) in enumerate(zip(steps.students, steps.teachers, strict=True)):
        decay = min(1 - 1 / (t + 1), 0.9)
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


def test_each_way_to_teach_is_another_and_trains(tmp_path: Path) -> None:
    ways: list[dict[str, Any]] = [
        {}, {"target": TeacherTarget(flips=True)},
        {"target": TeacherTarget(flips=True, uncertainty_scale=0.01)},
        {"target": TeacherTarget(severity=measure(), block_weights=True)},
        {"consistent_light": False}, {"consistency_trim": 0.3},
        {"direction": DirectionLoss(measure()), "direction_weight": 1.0},
    ]  # fmt: skip
    students = []
    for way in ways:
        module = task(consistency_weight=1.0, ramp_share=1e-9, **way)
        trainer(tmp_path, max_steps=4).fit(module, data())
        students.append(flat(module.network))
        assert bool(students[-1].isfinite().all())
    for first, one in enumerate(students):
        assert not any(torch.allclose(one, other, atol=1e-7) for other in students[:first])


def test_a_resumed_training_goes_on_with_its_bank(tmp_path: Path) -> None:
    def module() -> MeanTeacherTask:
        target = TeacherTarget(severity=measure(), bank=True)
        return task(consistency_weight=1.0, ramp_share=1e-9, target=target)

    first, running = module(), trainer(tmp_path, max_steps=4)
    running.fit(first, data())
    assert first.target.bank is not None
    assert len(first.target.bank.entries) == 6
    running.save_checkpoint(tmp_path / "step.ckpt")
    again = module()
    trainer(tmp_path, max_steps=4).fit(again, data(), ckpt_path=str(tmp_path / "step.ckpt"))
    assert again.target.bank is not None
    for name, entry in first.target.bank.entries.items():
        assert again.target.bank.entries[name].scores == entry.scores
        assert torch.equal(again.target.bank.entries[name].stages[-1], entry.stages[-1])


def test_a_network_at_its_own_scale_adapts_in_windows(tmp_path: Path) -> None:
    """Real photographs reach it there, too, and flipped views show the same windows."""
    students = []
    for weight, target in ((0.0, None), (1.0, None), (1.0, TeacherTarget(flips=True))):
        torch.manual_seed(1)
        network = MAGENet(
            **TINY, original_resolution_stage=False, detail_widths=(8, 8), detail_blocks=(1, 1)
        )
        module = MeanTeacherTask(
            network, consistency_weight=weight, ramp_share=1e-9, supervised_share=0.0,
            target=target, consistent_light=False,
        )  # fmt: skip
        source = AdaptationDataModule(
            PhantomPhotographs(count=4, val_count=2),
            PhantomPhotographs(count=4, val_count=2, camera="handheld"),
            image_size=96, batch_size=1, workers=0, windows=2, window_size=32, least_size=64,
        )  # fmt: skip
        running = trainer(tmp_path, max_steps=3)
        running.fit(module, source)
        students.append(flat(module.network))
        if weight:
            assert float(running.callback_metrics["train/consistency_image"]) > 0.0
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert not torch.allclose(students[first], students[second], atol=1e-7)


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ({"direction": DirectionLoss(measure())}, "whole photographs"),
        ({"target": TeacherTarget(severity=measure())}, "neither uncertainty_scale nor severity"),
        ({"target": TeacherTarget(permuted=True)}, "at least two photographs"),
        ({"consistency_weight": 0.0, "losses": {"critic": AdversarialTerm(width=8)}}, "'critic'"),
    ],
)
def test_what_windows_do_not_allow_is_refused_at_once(
    way: dict[str, Any], said: str, tmp_path: Path
) -> None:
    """In the supervised part, too: the consistency may begin hours later."""
    network = MAGENet(
        **TINY, original_resolution_stage=False, detail_widths=(8, 8), detail_blocks=(1, 1)
    )
    module = MeanTeacherTask(network, supervised_share=0.9, consistent_light=False, **way)
    source = AdaptationDataModule(
        PhantomPhotographs(count=4, val_count=2), PhantomPhotographs(count=4, val_count=2),
        image_size=96, batch_size=1, workers=0, windows=2, window_size=32, least_size=64,
    )  # fmt: skip
    with pytest.raises(UserError, match=said):
        trainer(tmp_path, max_steps=1).fit(module, source)


def test_a_network_at_its_own_scale_agrees_on_detail_alone() -> None:
    network = MAGENet(
        **TINY, original_resolution_stage=False, detail_widths=(8, 8), detail_blocks=(1, 1)
    )
    with pytest.raises(ValueError, match="consistent_light: false"):
        MeanTeacherTask(network)


def test_photographs_of_two_sizes_are_refused_at_once(tmp_path: Path) -> None:
    def sizes(module: MeanTeacherTask, side: int) -> None:
        pairs = {"image_degraded": torch.zeros(1, 3, 48, 48)}
        real = {
            "image": torch.zeros(1, 3, side, side),
            "image_strong": torch.zeros(1, 3, side, side),
        }
        module._require_possible(pairs, real, None)  # type: ignore[arg-type]

    sizes(task(), 48)
    with pytest.raises(UserError, match="pairs of 48 px and real photographs of 64 px"):
        sizes(task(), 64)


def test_a_student_is_told_the_quality_of_its_targets_alone(tmp_path: Path) -> None:
    told: list[Tensor] = []

    class Told(MAGENet):
        def forward(self, *args: Any, quality: Tensor | None = None, **options: Any) -> Any:
            if quality is not None:
                told.append(quality)
            return super().forward(*args, quality=quality, **options)

    network = Told(**TINY, quality_map=True)
    target = TeacherTarget(severity=measure())
    module = MeanTeacherTask(
        network, consistency_weight=1.0, ramp_share=1e-9, supervised_share=0.0, target=target,
        quality_conditioned=True,
    )  # fmt: skip
    trainer(tmp_path, max_steps=2).fit(module, data())
    assert len(told) == 2, "the student in training, and nobody else"
    for quality in told:
        assert quality.shape == (4,)
        assert quality[:2].tolist() == [0.0, 0.0], "pairs ask for a clean result"
        assert bool((quality[2:] > 0.0).all())
    with pytest.raises(ValueError, match="quality_map"):
        task(quality_conditioned=True)


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


def test_a_critic_learns_beside_the_student_and_is_in_no_teacher(tmp_path: Path) -> None:
    critic = AdversarialTerm(width=8)
    module = task(losses={"adversarial": critic})
    before = flat(critic)
    running = trainer(tmp_path, max_steps=2)
    running.fit(module, data())
    assert not torch.equal(flat(critic), before)
    assert float(running.callback_metrics["train/adversarial"]) > 0.0
    assert not any("critic" in name for name, _ in module.teacher.named_parameters())


def test_a_mean_teacher_refuses_what_it_cannot_live_with(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="bf16-mixed, not bf16-true"):
        trainer(tmp_path, max_steps=1, precision="bf16-true").fit(task(), data())
    running = trainer(tmp_path, max_steps=1)
    with pytest.raises(UserError, match="mixed batches"):
        running.fit(task(), data().paired)
    assert running.train_dataloader is None, "before anything is loaded"
    with pytest.raises(ValueError, match="trim"):
        task(consistency_trim=1.0)
    with pytest.raises(ValueError, match="ramp_share"):
        task(ramp_share=0.0)
