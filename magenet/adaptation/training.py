"""Training of the released network on degraded copies of a camera's enhanced photographs."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.pytorch import Trainer

from data_modules import DetailDataModule, ManifestPhotographs, PairedDataModule
from magenet.allocator import keep_freed_memory
from magenet.callbacks import StepProgress, TimeBudget
from magenet.degradation import CofeDegradation, DegradationMixture, FundusDegradation
from magenet.enhancement.device import half_precision
from magenet.enhancement.settings import Settings
from magenet.errors import StoppedError
from magenet.losses import SegmenterTarget
from magenet.models import MAGENet, VesselSegmenter
from magenet.tasks import SupervisedTask

WINDOWS = 8
"""Windows of each photograph at its own scale, as in the release's training."""


class Trained(NamedTuple):
    """A network after its training.

    Attributes:
        network: The network at its last step.
        steps: Optimizer steps of the training.
    """

    network: MAGENet
    steps: int


def train(
    network: MAGENet,
    manifest: Path,
    device: torch.device,
    steps: int,
    end: float,
    seed: int,
) -> Trained:
    """Return the network after training to restore a camera's enhanced photographs.

    They are of one camera, so no random one is applied, unlike in the release's training. The
    learning rate falls over the last two fifths of the steps, or of the time if that is less, and
    the last step counts: too few good photographs could be spared to choose a better one. Of a
    network at the photographs' own scale the detail stage alone is trained, in windows: details,
    gains, and the errors by which the light is held back.

    Args:
        network: The released network; it is not changed.
        manifest: Of the training, see
            :func:`magenet.adaptation.manifests.write_manifests`; decoded photographs go beside it.
        device: Where to train.
        steps: Greatest number of optimizer steps.
        end: When to stop at the latest, in seconds since 1970.
        seed: Of the data.

    Raises:
        StoppedError: After Ctrl-C.
    """
    least, most = Settings.of(network).sides()
    own = network.own_scale
    cache = str(manifest.parent / "cache")
    clean = ManifestPhotographs(str(manifest), cache=cache, own_scale=own)
    pairs: dict[str, Any] = {"image_size": most, "batch_size": 1 if own else 2, "seed": seed}
    data = (
        DetailDataModule(
            clean, released_degradation(), least_size=least, windows=WINDOWS, camera=0.0, **pairs
        )
        if own
        else PairedDataModule(clean, released_degradation(), **pairs)
    )
    task = SupervisedTask(
        copy.deepcopy(network).requires_grad_(True).train(), **what_is_taught(network),
        decay=0.4, optimizer=partial(torch.optim.Adam, lr=1e-4, foreach=True),
    )  # fmt: skip
    trainer = Trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=1 if device.index is None else [device.index], max_steps=steps,
        precision="bf16-mixed" if half_precision(device) else "32-true", gradient_clip_val=1.0,
        limit_val_batches=0, logger=False, enable_checkpointing=False, enable_model_summary=False,
        callbacks=[TimeBudget(end), StepProgress()],
    )  # fmt: skip
    keep_freed_memory()
    try:
        trainer.fit(task, data)
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # Lightning's answer to Ctrl-C
            raise StoppedError("stopped by Ctrl-C; no weights are written") from None
        raise
    adapted = copy.deepcopy(network)
    adapted.load_state_dict(task.student.state_dict())
    return Trained(adapted, trainer.global_step)


def what_is_taught(network: MAGENet) -> dict[str, Any]:
    """Return the arguments of the task that say which part of a network learns from which losses.

    Args:
        network: The released network.
    """
    if not network.own_scale:
        vessels = SegmenterTarget(VesselSegmenter.from_pretrained("vessels"))
        return {"structure_target": vessels, "preservation_weight": 0.1}
    # As in the second part of the release's training, `runs/release/detail.yaml`: a photograph or
    # two a step would unlearn the light, and the structure map with it. No preservation: the
    # packaged segmenter misses vessels at other sizes than 512 px.
    return {"trained": "detail", "structure_weight": 0.0}


def released_degradation() -> DegradationMixture:
    """Return the degradation of the release's training, `runs/release/detail.yaml`."""
    usual = FundusDegradation(gentle=0.4, blurred=0.5)
    fundus = DegradationMixture(usual, FundusDegradation("cataract", gentle=0.4), 0.3)
    return DegradationMixture(fundus, CofeDegradation(), 0.2)
