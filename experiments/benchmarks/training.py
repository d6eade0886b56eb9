"""Training as `configs/base.yaml` configures it, on photographs from a cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer

from data_modules import AdaptationDataModule, ManifestPhotographs, PairedDataModule
from data_modules.base import FundusDataModule
from experiments.benchmarks.networks import sized
from experiments.configurations import BASE, build, read_config
from magenet.commands.experiment_trainer import choose_precision
from magenet.tasks import MeanTeacherTask, SupervisedTask
from magenet.tasks.enhancement import EnhancementTask


def base_trainer(folder: str | Path, steps: int, **changes: Any) -> Trainer:
    """Return the Trainer of `configs/base.yaml`, without validation, checkpoints and bar.

    Args:
        folder: Folder of its log.
        steps: Training steps.
        **changes: Changes to its arguments.
    """
    arguments = read_config(BASE)["trainer"]
    arguments["logger"]["init_args"] |= {"save_dir": str(folder), "name": "benchmark"}
    arguments |= {
        "max_steps": steps, "limit_val_batches": 0, "enable_checkpointing": False,
        "enable_progress_bar": False, "enable_model_summary": False, **changes,
    }  # fmt: skip
    # As the command line does where none is given.
    accelerator = str(arguments["accelerator"])
    arguments["precision"], _ = choose_precision(arguments["precision"], accelerator)
    return build(Trainer, {"class_path": "lightning.pytorch.Trainer", "init_args": arguments})


def training(
    kind: str, network: str, manifest: str, cache: str, size: int, batch: int, workers: int
) -> tuple[EnhancementTask, FundusDataModule]:
    """Return a task and its data module.

    Args:
        kind: `supervised`, or `mean teacher` with as many real photographs as pairs.
        network: Named size of MAGE-Net.
        manifest: Manifest of the photographs.
        cache: Folder of the decoded photographs.
        size: Side of a training photograph, in pixels.
        batch: Pairs a batch.
        workers: Loading processes, for each domain.
    """
    photographs = ManifestPhotographs(manifest, cache=cache)
    common: dict[str, Any] = {"image_size": size, "batch_size": batch, "workers": workers}
    if kind == "supervised":
        return SupervisedTask(sized(network)), PairedDataModule(photographs, **common)
    # The teacher works from the first step on.
    task = MeanTeacherTask(sized(network), supervised_share=0.0)
    return task, AdaptationDataModule(photographs, photographs, **common)
