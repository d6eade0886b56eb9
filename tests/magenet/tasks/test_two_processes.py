"""Two processes on the CPU: equal teachers, the training and the scores of one process."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT

SCRIPT = """
import json, sys, torch
from lightning.pytorch import Trainer, seed_everything
from data_modules import AdaptationDataModule, PhantomPhotographs
from magenet.metrics import MaskedPSNR
from magenet.models import MAGENet
from magenet.tasks import MeanTeacherTask
from tests.magenet.models.test_mage_net import TINY

torch.set_num_threads(1)
seen = []

class Task(MeanTeacherTask):
    def training_loss(self, batch):
        seen.extend(batch["synthetic"]["key"].tolist())
        return super().training_loss(batch)

    def on_train_end(self):
        def flat(module):
            return torch.cat([p.detach().flatten() for p in module.parameters()])
        metric = MaskedPSNR().to(self.device)
        clean = torch.zeros(1, 3, 16, 16)
        for error in ([0.1, 0.2], [0.3])[self.global_rank]:  # two on one rank, one on the other
            metric.update(clean + error, clean, torch.ones(1, 1, 16, 16))
        own = [float(self.global_rank), float(metric.compute())]
        everyone = self.all_gather(torch.cat([flat(self.network), flat(self.teacher.network)]))
        facts = {
            "equal": bool((everyone[0] == everyone[1]).all()),
            "moved": bool((flat(self.network) != flat(self.teacher.network)).any()),
            "gradient": any(p.grad is not None for p in self.teacher.parameters()),
            "watched": sum(p.requires_grad for p in self.trainer.strategy.model.parameters()),
            "trainable": sum(1 for _ in self.network.parameters()),
            "keys": self.all_gather(torch.tensor(seen)).tolist(),
            "psnr": own[1],
            "updates": self.teacher.num_updates,
        }
        if self.global_rank == 0:
            open(sys.argv[1], "w").write(json.dumps(facts))

if __name__ == "__main__":
    seed_everything(0, verbose=False)
    data = AdaptationDataModule(
        PhantomPhotographs(count=12, val_count=2),
        PhantomPhotographs(count=8, val_count=2, camera="handheld"),
        image_size=48, batch_size=2, workers=0,
    )
    trainer = Trainer(
        accelerator="cpu", devices=2, strategy="ddp_fork", max_steps=3, logger=False,
        enable_progress_bar=False, enable_checkpointing=False, limit_val_batches=1,
        num_sanity_val_steps=0, use_distributed_sampler=True,
    )
    trainer.fit(Task(MAGENet(**TINY), supervised_share=0.0), data)
"""

SPLIT = """
import sys, torch
from functools import partial
from lightning.pytorch import Trainer, seed_everything
from data_modules import AdaptationDataModule, PairedDataModule, PhantomPhotographs
from magenet.models import MAGENet
from magenet.tasks import MeanTeacherTask, SupervisedTask
from tests.magenet.models.test_mage_net import TINY

torch.set_num_threads(1)
kind, devices = sys.argv[1], int(sys.argv[2])

if __name__ == "__main__":
    seed_everything(0, verbose=False)
    clean = PhantomPhotographs(count=12, val_count=5)
    sizes = {"image_size": 48, "batch_size": 4 // devices, "workers": 0}
    network, sgd = MAGENet(**TINY), partial(torch.optim.SGD, lr=0.1)
    if kind.startswith("supervised"):
        weight = 0.0 if "without a map" in kind else 0.1
        task = SupervisedTask(network, optimizer=sgd, structure_weight=weight)
        data = PairedDataModule(clean, **sizes)
    else:
        task = MeanTeacherTask(network, supervised_share=0.0, optimizer=sgd)
        real = PhantomPhotographs(count=12, val_count=3, camera="handheld")
        data = AdaptationDataModule(clean, real, real_batch_size=4 // devices, **sizes)
    before = torch.cat([p.detach().flatten() for p in network.parameters()])
    trainer = Trainer(
        accelerator="cpu", devices=devices, strategy="ddp_fork" if devices > 1 else "auto",
        max_steps=3, logger=False, enable_progress_bar=False, enable_checkpointing=False,
        gradient_clip_val=1.0,
    )

    def save(*_):
        after = torch.cat([p.detach().flatten() for p in task.network.parameters()])
        scores = {n: float(v) for n, v in trainer.callback_metrics.items() if n.startswith("val")}
        if trainer.global_rank == 0:
            torch.save({"moved": after - before, "scores": scores}, sys.argv[3])

    task.on_train_end = save
    trainer.fit(task, data)
"""


def run(script: str, path: Path, *arguments: str) -> None:
    """Run a script in a process of its own."""
    path.write_text(script)
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, str(path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.ddp
@pytest.mark.parametrize(
    "kind",
    [
        "supervised",
        "supervised without a map",
        pytest.param("mean_teacher", marks=pytest.mark.slow),
    ],
)
def test_two_processes_train_and_score_as_one_with_twice_the_batch(
    tmp_path: Path, kind: str
) -> None:
    """Five photographs are validated: three on one rank, two on the other, each counted once."""
    ends = []
    for devices in ("1", "2"):
        run(SPLIT, tmp_path / "split.py", kind, devices, str(tmp_path / devices))
        ends.append(torch.load(tmp_path / devices, weights_only=True))
    one, two = ends
    assert float(one["moved"].abs().max()) > 1e-3
    assert torch.allclose(one["moved"], two["moved"], atol=1e-6)
    assert {"val/psnr", "val/ssim", "val_input/psnr"} <= one["scores"].keys()
    assert two["scores"] == pytest.approx(one["scores"], rel=1e-5)


@pytest.mark.ddp
def test_two_processes_share_the_samples_and_hold_equal_teachers(tmp_path: Path) -> None:
    run(SCRIPT, tmp_path / "two.py", str(tmp_path / "facts.json"))
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert facts["equal"], "student and teacher are the same on both ranks"
    assert facts["moved"], "the teacher is not the student"
    assert facts["updates"] == 3
    assert not facts["gradient"]
    assert facts["watched"] == facts["trainable"], "DDP watches the student alone"
    first, second = (set(keys) for keys in facts["keys"])
    assert first.isdisjoint(second), "no sample on both ranks"
    assert first | second == set(range(12))
    expected = sum(-20 * math.log10(error) for error in (0.1, 0.2, 0.3)) / 3
    assert facts["psnr"] == pytest.approx(expected, abs=1e-3), "metrics merge over processes"
