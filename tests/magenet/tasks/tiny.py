"""What several tests here share."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from data_modules import AdaptationDataModule, PhantomPhotographs
from magenet.models import MAGENet
from magenet.tasks import MeanTeacherTask
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
