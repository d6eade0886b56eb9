"""A real training, as `experiments/base.yaml` configures it, on photographs from a cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser
from lightning.pytorch import Trainer

from data_modules import AdaptationDataModule, ManifestPhotographs, PairedDataModule
from data_modules.base import FundusDataModule
from magenet.tasks import MeanTeacherTask, SupervisedTask
from magenet.tasks.base import EnhancementTask
from networks import EXPERIMENTS, sized


def base_trainer(folder: str | Path, steps: int, **changes: Any) -> Trainer:
    """Return the Trainer of `experiments/base.yaml`, without validation, checkpoints and bar.

    Args:
        folder: For its log.
        steps: Of the training.
        **changes: To its arguments.
    """
    given = yaml.safe_load((EXPERIMENTS / "base.yaml").read_text())["trainer"]
    given["logger"]["init_args"] |= {"save_dir": str(folder), "name": "benchmark"}
    given |= {
        "max_steps": steps, "limit_val_batches": 0, "enable_checkpointing": False,
        "enable_progress_bar": False, "enable_model_summary": False, **changes,
    }  # fmt: skip
    parser = ArgumentParser()
    parser.add_class_arguments(Trainer, "trainer")
    trainer: Trainer = parser.instantiate(parser.parse_object({"trainer": given})).trainer
    return trainer


def training(
    kind: str, network: str, manifest: str, cache: str, size: int, batch: int, workers: int
) -> tuple[EnhancementTask, FundusDataModule]:
    """Return a task and its data.

    Args:
        kind: `supervised`, or `mean teacher` with as many real photographs as pairs.
        network: Name of a size.
        manifest: The photographs.
        cache: Folder that holds them decoded.
        size: Side of a training photograph, in pixels.
        batch: Pairs a batch.
        workers: Processes that load, for each domain.
    """
    photographs = ManifestPhotographs(manifest, cache=cache)
    common: dict[str, Any] = {"image_size": size, "batch_size": batch, "workers": workers}
    if kind == "supervised":
        return SupervisedTask(sized(network)), PairedDataModule(photographs, **common)
    # Full work from the first step on: no time without the teacher.
    task = MeanTeacherTask(sized(network), supervised_share=0.0)
    return task, AdaptationDataModule(photographs, photographs, **common)
