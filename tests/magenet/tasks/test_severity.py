from pathlib import Path

import torch

from data_modules import PairedDataModule, PhantomPhotographs
from magenet.degradation import FundusDegradation
from magenet.models import SeverityRegressor
from magenet.tasks import SeverityTask
from tests.magenet.tasks.tiny import trainer


def test_a_regressor_learns_which_photograph_is_worse(tmp_path: Path) -> None:
    torch.manual_seed(0)
    task = SeverityTask(
        SeverityRegressor(widths=(8, 16, 16, 16, 16)),
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=3e-3), warm_up=0.05,
    )  # fmt: skip
    source = PairedDataModule(
        PhantomPhotographs(count=32, val_count=24),
        FundusDegradation(mix={"haze": [0.5, 0.5, 1.0]}),
        image_size=96, batch_size=8, workers=0,
    )  # fmt: skip
    running = trainer(tmp_path, max_steps=80, limit_val_batches=None, check_val_every_n_epoch=20)
    running.fit(task, source)
    assert float(running.callback_metrics["val/correlation"]) > 0.7
