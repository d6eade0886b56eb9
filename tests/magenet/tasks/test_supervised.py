from pathlib import Path

import pytest
import torch

from data_modules import PairedDataModule, PhantomPhotographs
from magenet.errors import UserError
from magenet.models import MAGENet
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


def test_classical_enhancers_do_not_train(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="CLAHE has nothing to learn"):
        trainer(tmp_path, max_steps=1).fit(ClassicalTask(CLAHE()), data().paired)
