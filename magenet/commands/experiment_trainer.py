"""Trainer of `magenet fit|validate|test|predict`: limits as written, our progress, our stops."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ProgressBar

from magenet.callbacks.provenance import processor
from magenet.callbacks.step_progress import StepProgress
from magenet.enhancement.device import device_for, half_precision


class ExperimentTrainer(Trainer):
    """Lightning's trainer, whose limits stay numbers of batches where they are written as such.

    Lightning annotates them with `Union[int, float]`. Python caches unions by the set of their
    types, so that another package that was imported before may have turned the order round; `1` is
    then parsed as 1.0, which means all batches. The types here are not cached.

    Under SLURM it leaves SIGUSR1 to :class:`magenet.callbacks.resume_point.ResumePoint`. Lightning
    would save from within the signal's handler, in a file that every later job in the same folder
    starts from. This holds also where a configuration names an environment that requeues.

    Args:
        limit_train_batches: Batches of an epoch (2) or share of them (0.5); all if null.
        limit_val_batches: Batches of a validation, or share of them; all if null.
        limit_test_batches: Batches of a test, or share of them; all if null.
        limit_predict_batches: Batches of a prediction, or share of them; all if null.
        overfit_batches: Batches, or share of them, that training and validation are confined to;
            0 is no such thing.
        options: Lightning's.

    Raises:
        ValueError: If validations are due by the clock on several devices.
    """

    def __init__(
        self,
        *,
        limit_train_batches: int | float | None = None,
        limit_val_batches: int | float | None = None,
        limit_test_batches: int | float | None = None,
        limit_predict_batches: int | float | None = None,
        overfit_batches: int | float = 0,
        **options: Any,
    ) -> None:
        given = options.get("callbacks") or []
        callbacks = list(given) if isinstance(given, list | tuple) else [given]
        wanted = options.get("enable_progress_bar") is not False and not options.get("barebones")
        if wanted and not any(isinstance(callback, ProgressBar) for callback in callbacks):
            callbacks.append(StepProgress())
        options["callbacks"] = callbacks
        options["plugins"] = _plugins(options.get("plugins"))
        super().__init__(
            limit_train_batches=limit_train_batches,
            limit_val_batches=limit_val_batches,
            limit_test_batches=limit_test_batches,
            limit_predict_batches=limit_predict_batches,
            overfit_batches=overfit_batches,
            **options,
        )
        if self.world_size > 1 and isinstance(
            options.get("val_check_interval"), str | dict | timedelta
        ):
            raise ValueError(
                "val_check_interval by the clock is for one device: several would begin a "
                "validation at different steps and wait for each other; give a number of batches"
            )


def _plugins(given: Any) -> list[Any]:
    """Return the plugins, under SLURM with an environment that requeues nothing."""
    plugins = list(given) if isinstance(given, list | tuple) else [given] if given else []
    is_chosen = any(isinstance(plugin, ClusterEnvironment) for plugin in plugins)
    if SLURMEnvironment.detect() and not TorchElasticEnvironment.detect() and not is_chosen:
        plugins.append(SLURMEnvironment(auto_requeue=False))
    return plugins


def choose_precision(given: str | None, accelerator: str) -> tuple[str, str]:
    """Return the precision of a run, and what to say of it, which may be nothing.

    It is the one in which the processor is faster: without instructions for bf16 a step on a CPU
    was measured to take four times as long in it, and half as long again on an Intel Xeon with
    AVX512-BF16 but without AMX.

    Args:
        given: Precision that was asked for; the processor's choice if None.
        accelerator: As Lightning names it.
    """
    if accelerator in ("auto", "gpu"):
        device = device_for("auto")
    else:
        device = torch.device(accelerator if accelerator in ("cpu", "cuda", "mps") else "cpu")
    name = processor() if device.type == "cpu" else device.type
    fast = half_precision(device)
    if given is None:
        chosen = "bf16-mixed" if fast else "32-true"
        why = f"{name} is faster in it"
        return chosen, f"precision {chosen}: {why} (--trainer.precision sets another)"
    if given.startswith("bf16") and not fast:
        return given, f"precision {given} is slow: {name} is faster in fp32"
    return given, ""
