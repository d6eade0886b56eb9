from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from data_modules import DetailDataModule, PairedDataModule, PhantomPhotographs
from magenet.errors import UserError
from magenet.losses import AdversarialTerm, SegmenterTarget
from magenet.models import MAGENet, VesselSegmenter
from magenet.models.peers import CLAHE
from magenet.tasks import ClassicalTask, SupervisedTask
from tests.magenet.models.test_mage_net import TINY
from tests.magenet.tasks.tiny import data, trainer


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


def test_a_critic_without_real_photographs_is_refused_before_training(tmp_path: Path) -> None:
    module = SupervisedTask(MAGENet(**TINY), losses={"misled": AdversarialTerm(width=8)})
    running = trainer(tmp_path, max_steps=1)
    with pytest.raises(UserError, match="'misled' needs real photographs"):
        running.fit(module, data())
    assert running.train_dataloader is None, "before anything is loaded"


def own_scale(**options: Any) -> tuple[SupervisedTask, DetailDataModule]:
    network = MAGENet(
        **TINY, original_resolution_stage=False, detail_widths=(8, 8), detail_blocks=(1, 1)
    )
    task = SupervisedTask(network, **options)
    source = DetailDataModule(
        PhantomPhotographs(count=4, val_count=2), image_size=96, batch_size=1, workers=0,
        least_size=64, window_size=32, windows=2,
    )  # fmt: skip
    return task, source


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_trains_as_the_cpu_does(tmp_path: Path) -> None:
    losses = []
    for accelerator in ("cpu", "cuda"):
        torch.manual_seed(0)
        task, source = own_scale()
        running = trainer(tmp_path, max_steps=3, accelerator=accelerator, devices=1)
        running.fit(task, source)
        losses.append(float(running.callback_metrics["train/loss"]))
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def test_a_network_at_its_own_scale_trains_on_windows(tmp_path: Path) -> None:
    task, source = own_scale(gradients_every=2)
    before = {name: p.clone() for name, p in task.network.named_parameters()}
    running = trainer(tmp_path, max_steps=4)
    running.fit(task, source)
    moved = {n for n, p in task.network.named_parameters() if not torch.equal(p, before[n])}
    assert {"stems.0.weight", "structure.head.weight", "detail.heads.0.weight"} <= moved
    assert {"detail.stem.weight", "detail.error.weight"} <= moved
    logged = running.callback_metrics
    for term in ("light", "detail", "error", "structure"):
        assert f"train/{term}" in logged
        assert float(logged[f"train/gradient_{term}"]) > 0.0


def test_a_part_of_the_network_is_trained_alone(tmp_path: Path) -> None:
    task, source = own_scale(trained="detail", structure_weight=0.0)
    before = {name: p.clone() for name, p in task.network.named_parameters()}
    trainer(tmp_path, max_steps=3).fit(task, source)
    moved = {n for n, p in task.network.named_parameters() if not torch.equal(p, before[n])}
    assert {"detail.stem.weight", "detail.heads.0.weight", "detail.carry.weight"} <= moved
    assert all(name.startswith("detail.") for name in moved)
    with pytest.raises(ValueError, match=r"no part 'details', but .*stages.*detail"):
        own_scale(trained="details")


def test_the_norm_of_a_gradient_is_that_of_its_term(tmp_path: Path) -> None:
    task, _ = own_scale(gradients_every=1, structure_weight=0.0)
    logged: dict[str, Tensor] = {}
    task.log = lambda name, value, **kwargs: logged.update({name: value})  # type: ignore[method-assign,assignment]
    task.log_dict = lambda terms, **kwargs: None  # type: ignore[method-assign,assignment]
    parameter = next(task.network.parameters())
    terms = {"one": 3.0 * parameter.sum(), "two": torch.tensor(1.0)}
    assert float(task.summed(terms)) == pytest.approx(float(terms["one"] + 1.0))
    assert list(logged) == ["train/gradient_one"]
    assert float(logged["train/gradient_one"]) == pytest.approx(3.0 * parameter.numel() ** 0.5)


def test_a_structure_target_of_another_size_is_refused(tmp_path: Path) -> None:
    segmenter = VesselSegmenter(width=8, growth=4, blocks=1)
    state = {f"network.{name}": value for name, value in segmenter.state_dict().items()}
    checkpoint = {"state_dict": state, "image_size": 64, "least_size": None}
    torch.save(checkpoint, tmp_path / "small.ckpt")
    target = SegmenterTarget(segmenter, str(tmp_path / "small.ckpt"))
    task, source = own_scale(structure_target=target)
    with pytest.raises(UserError, match=r"trained on photographs of 64 px.*those of 64 to 96 px"):
        trainer(tmp_path, max_steps=1).fit(task, source)
    torch.save(checkpoint | {"image_size": 128, "least_size": 64}, tmp_path / "small.ckpt")
    trainer(tmp_path, max_steps=1).fit(task, source)


def test_classical_enhancers_do_not_train(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="CLAHE has nothing to learn"):
        trainer(tmp_path, max_steps=1).fit(ClassicalTask(CLAHE()), data().paired)
