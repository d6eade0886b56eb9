"""Pictures of the same photographs at each validation, under every degradation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn import functional

from data_modules.batch import Batch
from data_modules.paired import CONDITIONS, ConditionDegradation
from magenet.atomic_write import atomic_write
from magenet.callbacks.logged import PictureRow, log_pictures, sheet_of
from magenet.degradation import CounterRNG
from magenet.enhancement.uncertainty import uncertainty_score
from magenet.imaging.crop import at_side
from magenet.models import Enhancer
from magenet.models.enhancer import VIEWS
from magenet.tasks.enhancement import EnhancementTask

BRIGHT = 0.1
"""Uncertainty that is drawn white, in [0, 1]: 25 grey levels (our choice)."""

NAME = "val/pictures"
"""Name that loggers get the pictures under."""


class ValidationPictures(Callback):
    """Writer of what the networks make of some validation photographs, at each validation.

    There is a row for each condition of a test (cofe-Net's seven types, the fundus recipe, no
    degradation), of the first photographs that validation sees in turn, and one for each of some
    real photographs. Its pictures are the photograph, what student and teacher make of it, the
    clean photograph; the structure map of the network that prediction uses, where it has one; and
    the uncertainty of its estimate, in grey levels up to :data:`BRIGHT`: as it tells it, or, not
    calibrated, from four flipped views. They are written into the run's folder,
    `validation/step_<number>.png`, and logged where a logger shows pictures. Nothing is drawn at
    random: a training with these pictures is the same as one without.

    Args:
        real: Greatest number of real photographs, at most those of a batch (our choice).
        size: Greatest side of a picture, in pixels (our choice).
    """

    def __init__(self, real: int = 3, size: int = 256) -> None:
        self.real = real
        self.size = size
        self.degradation = ConditionDegradation()
        self.rows: list[PictureRow] = []

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start anew."""
        self.rows = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Enhance photographs of the first batch of each loader."""
        drawn = trainer.is_global_zero and not trainer.sanity_checking
        if batch_idx or not drawn or not isinstance(pl_module, EnhancementTask):
            return
        with torch.inference_mode(), trainer.precision_plugin.forward_context():
            if "image_clean" in batch:
                self._add_every_condition(pl_module, batch)
            else:
                image, mask = batch["image"][: self.real], batch["mask_fov"][: self.real]
                conditions = ["real"] * len(image)
                self._add(batch["name"], conditions, pictures(pl_module, image, mask))

    def _add_every_condition(self, task: EnhancementTask, batch: Batch) -> None:
        """Add a row for each condition, in parts no larger than the batch."""
        count = len(batch["image_clean"])
        for start in range(0, len(CONDITIONS), count):
            conditions = CONDITIONS[start : start + count]
            chosen = torch.arange(len(conditions))
            clean, mask = batch["image_clean"][chosen], batch["mask_fov"][chosen]
            rng = CounterRNG(batch["key"]).select(chosen)
            found = pictures(task, self.degradation(clean, mask, rng, conditions), mask)
            subjects = dict.fromkeys(("input", *task.enhancers()))
            found = {**{name: found[name] for name in subjects}, "clean": clean, **found}
            self._add(batch["name"], conditions, found)

    def _add(self, names: list[str], conditions: Any, found: dict[str, Tensor]) -> None:
        """Add a row for each of some photographs, with pictures as small as they are shown."""
        side = min(self.size, found["input"].shape[-1])
        small = {key: at_side(value.float(), side).cpu() for key, value in found.items()}
        for index, condition in enumerate(conditions):
            row = {key: value[index].expand(3, -1, -1) for key, value in small.items()}
            self.rows.append(PictureRow(names[index], condition, row))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the sheet into the run's folder, and log the pictures."""
        folder = trainer.log_dir  # asked for by every process: they agree on it
        if folder is None or not self.rows:
            return
        step = trainer.global_step
        with atomic_write(Path(folder, "validation", f"step_{step:06d}.png")) as part:
            sheet_of(self.rows).save(part, format="PNG")
        log_pictures(trainer.loggers, NAME, self.rows, step)
        self.rows = []


def pictures(task: EnhancementTask, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Return what is to be seen of photographs, `(B, 3 or 1, S, S)` in [0, 1], by name.

    Args:
        task: Whose networks enhance them.
        image: `(B, 3, S, S)` in [0, 1], black outside the field.
        mask: Field of view, `(B, 1, S, S)`, 0 or 1.
    """
    found, network = {"input": image}, task.prediction_network
    for subject, enhancer in task.enhancers().items():
        output = enhancer(task.in_memory_format(image), mask)
        found[subject] = output.image * mask
        if enhancer is network:
            predicted = output
    side = image.shape[-1]
    if predicted.structure is not None:
        found["structure"] = at_side(predicted.structure, side) * mask
    if predicted.log_error is None:
        error = _disagreement(task, network, predicted.image * mask, image, mask)
    else:
        after = predicted.log_error[:, 1:].float().exp()
        error = functional.interpolate(after, (side, side), mode="bilinear") * mask
    found["uncertainty"] = (error / BRIGHT).clamp(max=1.0)
    return found


def _disagreement(
    task: EnhancementTask, network: Enhancer, upright: Tensor, image: Tensor, mask: Tensor
) -> Tensor:
    """Return the uncertainty score of estimates, `(B, 1, S, S)`, from them and flipped views."""
    estimates = [upright]
    for axes in VIEWS[1:]:
        view, inside = task.in_memory_format(image.flip(axes)), mask.flip(axes)
        estimates.append(network(view, inside).image.flip(axes) * mask)
    views = torch.stack(estimates, dim=1)  # (B, N, 3, S, S)
    scores = [uncertainty_score(*one) for one in zip(views, image, mask[:, None], strict=True)]
    return torch.cat(scores)
