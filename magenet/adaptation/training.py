"""Training of the released network on a camera's photographs, by teacher and student."""

from __future__ import annotations

import copy
import math
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from data_modules import AdaptationDataModule, ManifestPhotographs, SameView
from magenet.adaptation.time_plan import TimePlan
from magenet.allocator import keep_freed_memory
from magenet.callbacks import StepProgress, TimeBudget
from magenet.checkpoints import VerifiedCheckpointIO, read_checkpoint, read_network
from magenet.degradation import CofeDegradation, DegradationMixture, FundusDegradation
from magenet.enhancement.device import half_precision
from magenet.enhancement.settings import Settings
from magenet.errors import StoppedError
from magenet.losses import SegmenterTarget
from magenet.models import MAGENet, VesselSegmenter
from magenet.tasks import MeanTeacherTask

WINDOWS = 8
"""Windows of each photograph at its own scale, as in the release's training."""


class Trained(NamedTuple):
    """A network after teacher-student training.

    Attributes:
        network: The teacher at its best validation PSNR.
        steps: Optimizer steps of the training.
        chosen_step: After how many of them the teacher was best.
    """

    network: MAGENet
    steps: int
    chosen_step: int


def train(
    network: MAGENet,
    manifest: Path,
    device: torch.device,
    steps: int,
    parts: TimePlan,
    end: float,
    seed: int,
) -> Trained:
    """Return the network after teacher-student training.

    Training stops when the teacher has not improved for a third of the expected steps on the
    photographs that choose. Of a network at the photographs' own scale the detail stage alone is
    trained, in windows: details, gains, and the errors by which the light is held back.

    Args:
        network: The released network; it is not changed.
        manifest: Of the training, see
            :func:`magenet.adaptation.manifests.write_manifests`; logs, checkpoints and decoded
            photographs go beside it.
        device: Where to train.
        steps: Greatest number of optimizer steps.
        parts: How many there is time for, and how many validations.
        end: When to stop at the latest, in seconds since 1970.
        seed: Of the data.

    Raises:
        StoppedError: After Ctrl-C.
    """
    least, most = Settings.of(network).sides()
    own = network.own_scale
    options: dict[str, Any] = {"cache": str(manifest.parent / "cache"), "own_scale": own}
    clean = ManifestPhotographs(str(manifest), qualities=["good"], **options)
    every = ManifestPhotographs(str(manifest), **options)
    data = AdaptationDataModule(
        clean, every, released_degradation(), SameView(), most, batch_size=1 if own else 2,
        real_batch_size=1, seed=seed, windows=WINDOWS if own else 0, least_size=least,
    )  # fmt: skip
    task = MeanTeacherTask(
        copy.deepcopy(network).requires_grad_(True).train(), **what_is_taught(network),
        ema_decay=0.99, supervised_share=0.0, ramp_share=0.2, decay=0.4,
        optimizer=partial(torch.optim.Adam, lr=1e-4, foreach=True),
    )  # fmt: skip
    best = ModelCheckpoint(
        manifest.parent / "checkpoints", "best", monitor="val_teacher/psnr", mode="max",
        enable_version_counter=False,
    )  # fmt: skip
    trainer = Trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=1 if device.index is None else [device.index], max_steps=steps,
        precision="bf16-mixed" if half_precision(device) else "32-true", gradient_clip_val=1.0,
        val_check_interval=math.ceil(parts.steps / parts.validations), check_val_every_n_epoch=None,
        num_sanity_val_steps=0, log_every_n_steps=10, enable_model_summary=False,
        callbacks=[
            best,
            EarlyStopping("val_teacher/psnr", mode="max", patience=max(1, parts.validations // 3)),
            TimeBudget(end), StepProgress(),
        ],
        logger=CSVLogger(manifest.parent, name="", version="log"), plugins=VerifiedCheckpointIO(),
    )  # fmt: skip
    keep_freed_memory()
    try:
        trainer.fit(task, data)
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # Lightning's answer to Ctrl-C
            raise StoppedError("stopped by Ctrl-C; no weights are written") from None
        raise
    adapted = copy.deepcopy(network)
    read_network(adapted, best.best_model_path, "the training wrote none", "teacher.network.")
    chosen = read_checkpoint(best.best_model_path)["global_step"]
    return Trained(adapted, trainer.global_step, chosen)


def what_is_taught(network: MAGENet) -> dict[str, Any]:
    """Return the arguments of the task that say which part of a network learns from which losses.

    Args:
        network: The released network.
    """
    if not network.own_scale:
        vessels = SegmenterTarget(VesselSegmenter.from_pretrained("vessels"))
        return {"structure_target": vessels, "preservation_weight": 0.1}
    # As in the second part of the release's training, `runs/release/detail.yaml`: a photograph or
    # two a step would unlearn the light, and the structure map with it. The student applies its
    # light wholly and the teacher a share, so that they can agree on detail alone. No preservation:
    # the packaged segmenter misses vessels at other sizes than 512 px.
    return {"trained": "detail", "structure_weight": 0.0, "consistent_light": False}


def released_degradation() -> DegradationMixture:
    """Return the degradation of the release's training, `runs/release/detail.yaml`."""
    usual = FundusDegradation(gentle=0.4, blurred=0.5)
    fundus = DegradationMixture(usual, FundusDegradation("cataract", gentle=0.4), 0.3)
    return DegradationMixture(fundus, CofeDegradation(), 0.2)
