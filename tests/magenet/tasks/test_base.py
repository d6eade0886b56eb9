from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader

from data_modules import AdaptationDataModule
from data_modules.batch import Batch
from magenet.callbacks.resume_point import ResumePoint
from magenet.errors import UserError
from magenet.losses import LossTerm, Restored, SegmenterTarget
from magenet.models import Enhancer, EnhancerOutput, MAGENet, VesselSegmenter
from magenet.tasks import MeanTeacherTask, SupervisedTask
from magenet.tasks.base import LEARNING_RATE, LOOK_EVERY, learning_rate_factor
from tests.magenet.models.test_mage_net import TINY
from tests.magenet.tasks.tiny import Steps, data, flat, task, trainer


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


class HostReads(TorchDispatchMode):
    """Counts how often a number leaves its tensor: on a GPU, the host would wait each time."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


def test_a_step_never_waits_for_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    transfers: list[int] = []

    prepare = AdaptationDataModule.on_after_batch_transfer

    def watched(self: AdaptationDataModule, batch: Batch, dataloader_idx: int) -> Batch:
        with HostReads() as mode:
            prepared = prepare(self, batch, dataloader_idx)
        transfers.append(mode.count)
        return prepared

    monkeypatch.setattr(AdaptationDataModule, "on_after_batch_transfer", watched)

    class Watched(MeanTeacherTask):
        def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
            with HostReads() as mode:
                loss = super().training_step(batch, batch_idx)
            looks.append(mode.count)
            return loss

    torch.manual_seed(1)
    module = Watched(MAGENet(**TINY), supervised_share=0.0)
    trainer(tmp_path, max_steps=LOOK_EVERY + 1, max_epochs=-1).fit(module, data())
    assert looks[: LOOK_EVERY - 1] == [0] * (LOOK_EVERY - 1)
    assert looks[LOOK_EVERY - 1] == 1, "one look at all losses since the last"
    assert transfers[0] > 0, "the values of the first batch are checked"
    assert transfers[1 : LOOK_EVERY + 1] == [0] * LOOK_EVERY


def test_a_checkpoint_of_another_network_is_one_line() -> None:
    other = MAGENet(**{**TINY, "widths": [12, 8, 12, 16]})
    with pytest.raises(UserError, match=r"another network: '.*' is .* in it and .* in the model"):
        SupervisedTask(MAGENet(**TINY)).load_state_dict(SupervisedTask(other).state_dict())


def test_a_schedule_without_an_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="max_steps"):
        trainer(tmp_path, max_epochs=-1).fit(SupervisedTask(MAGENet(**TINY)), data().paired)


def test_learning_rate_warms_up_and_falls() -> None:
    factors = [learning_rate_factor(i / 100, 0.1, 1.0) for i in range(101)]
    assert factors[:11] == sorted(factors[:11])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert max(factors) == pytest.approx(1.0)
    assert factors[-1] == pytest.approx(0.005)


def test_learning_rate_is_constant_until_the_decay() -> None:
    """A training resumed with a later end goes on as if it had been planned so."""
    factors = [learning_rate_factor(i / 100, 0.1, 0.2) for i in range(101)]
    assert factors[:10] == sorted(set(factors[:10]))
    assert factors[10:81] == [1.0] * 71
    assert factors[80:] == sorted(set(factors[80:]), reverse=True)
    assert factors[90] == pytest.approx(0.5, abs=0.01)
    assert factors[-1] == pytest.approx(0.005)
    assert learning_rate_factor(1.1, 0.1, 0.2) == pytest.approx(0.005), "nor does it rise again"
    assert learning_rate_factor(0.0, 0.1, 0.2) > 0.0


def test_the_schedule_is_the_tasks() -> None:
    own = SupervisedTask(MAGENet(**TINY), warm_up=0.1, decay=0.2)
    own.total_steps = 20
    found = own.configure_optimizers()
    schedule, rates = found["lr_scheduler"]["scheduler"], []
    for _ in range(21):
        rates.append(found["optimizer"].param_groups[0]["lr"] / LEARNING_RATE)
        found["optimizer"].step()
        schedule.step()
    assert rates == pytest.approx([learning_rate_factor(i / 20, 0.1, 0.2) for i in range(21)])


@pytest.mark.parametrize("taught", [False, True])
def test_a_training_starts_from_what_another_one_predicts_with(
    tmp_path: Path, taught: bool
) -> None:
    torch.manual_seed(1)
    first = task(ema_decay=0.0) if taught else SupervisedTask(MAGENet(**TINY))
    runner = trainer(tmp_path, max_steps=1, enable_checkpointing=True)
    runner.fit(first, data())
    if taught:
        for parameter in first.network.parameters():
            parameter.data += 1.0  # the student has gone astray since
    runner.save_checkpoint(tmp_path / "first.ckpt")
    torch.manual_seed(9)
    second = MeanTeacherTask(MAGENet(**TINY), start=str(tmp_path / "first.ckpt"))
    seen = Steps()
    trainer(tmp_path, max_steps=1, callbacks=[seen]).fit(second, data())
    wanted = flat(first.prediction_network)
    # One step at the start of the warm-up moves a weight by less than 1e-4.
    assert float((seen.students[0] - wanted).abs().max()) < 1e-4
    assert float((seen.teachers[0] - wanted).abs().max()) < 1e-4
    with pytest.raises(UserError, match="no such checkpoint"):
        trainer(tmp_path, max_steps=1).fit(task(start="nowhere.ckpt"), data())


def test_a_training_that_goes_on_needs_no_start(tmp_path: Path) -> None:
    first = trainer(tmp_path, max_steps=1)
    first.fit(SupervisedTask(MAGENet(**TINY)), data())
    first.save_checkpoint(tmp_path / "first.ckpt")
    module = SupervisedTask(MAGENet(**TINY), start=str(tmp_path / "first.ckpt"))
    second = trainer(tmp_path, max_steps=1)
    second.fit(module, data())
    second.save_checkpoint(tmp_path / "second.ckpt")
    saved = torch.load(tmp_path / "second.ckpt", weights_only=True)["hyper_parameters"]
    assert saved["start"] is None
    assert module.hparams["start"] == str(tmp_path / "first.ckpt"), "of the training itself"


def test_a_training_without_a_data_module_keeps_the_size_it_had(tmp_path: Path) -> None:
    module = SupervisedTask(MAGENet(**TINY))
    module.image_size = 64  # restored from a checkpoint
    batch = data().paired.prepare(sample_batch(), training=False)
    loader = DataLoader([batch], batch_size=None)  # type: ignore[var-annotated, arg-type]
    trainer(tmp_path, max_steps=1).fit(module, loader)
    assert module.image_size == 64
    trainer(tmp_path, max_steps=1).fit(module, data().paired)
    assert module.image_size == 48


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


def test_the_term_that_is_no_number_is_named(tmp_path: Path) -> None:
    class NoNumber(LossTerm):
        def forward(self, restored: Restored) -> Tensor:
            return restored.output.image.sum() * float("nan")

    runner = trainer(tmp_path, max_steps=1)
    with pytest.raises(UserError, match=r"the loss, of its terms own, is nan at step 0, on the"):
        runner.fit(task(losses={"own": NoNumber()}), data())
