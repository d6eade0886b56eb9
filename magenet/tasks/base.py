"""Base class of all tasks: optimizer, schedule, checkpoints, one-line errors."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from data_modules.batch import Batch
from magenet.checkpoints import read_checkpoint
from magenet.errors import UsageError, UserError

LEARNING_RATE = 2e-4
"""Adam's learning rate (MPRNet)."""

LOOK_EVERY = 10
"""Steps between two checks of the losses, as many as between two logs in `configs/base.yaml`."""

FINAL_SHARE = 0.005
"""Learning rate at the end of the cosine, as a share of its peak (MPRNet: 1e-6 of 2e-4)."""


def learning_rate_factor(progress: float, warm_up: float, decay: float) -> float:
    """Return the factor of the learning rate: linear warm-up, constant, then cosine annealing.

    Args:
        progress: Share of the training that is done, 0 to 1.
        warm_up: Share of the training over which the factor rises linearly from zero.
        decay: Share of the training at its end over which it falls; 1 is all but the warm-up.

    Example:
        >>> [round(learning_rate_factor(p, 0.1, 0.2), 2) for p in (0.05, 0.5, 0.8, 0.9, 1.0)]
        [0.5, 1.0, 1.0, 0.5, 0.01]
    """
    if progress < warm_up:
        return max(progress / warm_up, 1e-3)
    start = max(warm_up, 1.0 - decay)
    rest = min(1.0, max(0.0, progress - start) / max(1e-9, 1.0 - start))
    return FINAL_SHARE + (1.0 - FINAL_SHARE) * 0.5 * (1.0 + math.cos(math.pi * rest))


class FundusTask(LightningModule, ABC):
    """Base of all tasks: one network, Adam, a schedule, and one-line errors.

    Args:
        network: The network to train.
        optimizer: Returns the optimizer of given parameters; Adam at 2e-4 if null.
        warm_up: Share of the training over which the learning rate rises.
        decay: Share of the training at its end over which the learning rate falls, along a cosine.
            Below 1 a training that goes over several sessions can be ended at any time: resume it
            with a smaller `max_steps`.
        channels_last: Whether to store tensors channels-last: several times faster on CPUs in
            bf16 and on GPUs with tensor cores.
    """

    learns = True
    """Whether the network has weights to be trained, at one size of photograph."""

    def __init__(
        self,
        network: nn.Module,
        optimizer: OptimizerCallable | None = None,
        warm_up: float = 0.03,
        decay: float = 1.0,
        channels_last: bool = True,
    ) -> None:
        super().__init__()
        with warnings.catch_warnings():
            # Lightning warns of modules among them; see on_save_checkpoint.
            warnings.filterwarnings(
                "ignore", message="Attribute '.*' is an instance of `nn.Module`"
            )
            self.save_hyperparameters(logger=False)  # with the arguments of the subclass
        self.network = network
        self.optimizer = optimizer
        self.warm_up = warm_up
        self.decay = decay
        self.channels_last = channels_last
        self.image_size: int | None = None
        """Side of the photographs that the network was trained on, in pixels: with its weights."""
        self.least_size: int | None = None
        """Smallest side of them, where it was drawn anew for each batch."""
        self.total_steps = 0
        self.terms: dict[str, Tensor] = {}  # of the latest loss, where it is a sum
        self.unseen_losses: list[tuple[int, Tensor, dict[str, Tensor], list[str]]] = []

    @abstractmethod
    def training_loss(self, batch: Batch) -> Tensor:
        """Return the loss of a training batch, and log its terms."""

    def setup(self, stage: str) -> None:
        """Convert the weights to their memory format."""
        if self.channels_last:
            self.to(memory_format=torch.channels_last)

    def on_train_start(self) -> None:
        """Note the size of the photographs, which the checkpoint then tells; count the steps.

        Not earlier: Lightning counts by building the loaders, and loaders that exist before the
        checkpoint is read start their epoch anew instead of resuming it (Lightning 2.6.6).
        """
        self.total_steps = self._count_steps()
        datamodule = getattr(self.trainer, "datamodule", None)
        size = getattr(datamodule, "image_size", None)
        self.image_size = self.image_size if size is None else size
        least = getattr(datamodule, "least_size", None)
        if least is not None and self.image_size is not None:
            self.least_size = min(least, self.image_size)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss; every few steps :meth:`require_finite` checks the recent ones.

        Raises:
            UserError: If one of them is not finite.
        """
        loss = self.training_loss(batch)
        self.log("train/loss", loss, prog_bar=True)
        seen = (self.global_step, loss.detach(), self.terms, _names(batch))
        self.unseen_losses.append(seen)
        if len(self.unseen_losses) >= LOOK_EVERY:
            self.require_finite()
        if self.trainer.world_size > 1:
            # DDP waits for a gradient of every parameter, and not every loss reaches all of them:
            # of a structure map without a loss, or a critic that rests, they are zero.
            return loss + 0.0 * sum(p.sum() for p in self.trained_parameters())
        return loss

    def require_finite(self) -> None:
        """Check all losses since the last check at once.

        Reading a number makes the host wait for the device: never in every step.

        Raises:
            UserError: If one is not finite, with the names of its photographs.
        """
        seen, self.unseen_losses = self.unseen_losses, []
        if not seen or bool(torch.stack([loss for _, loss, *_ in seen]).isfinite().all()):
            return
        step, loss, terms, names = next(item for item in seen if not bool(item[1].isfinite()))
        wrong = [name for name, term in terms.items() if not bool(term.isfinite())]
        of = f", of its terms {', '.join(wrong)}," if wrong else ""
        raise UserError(
            f"the loss{of} is {float(loss)} at step {step}, on the photographs "
            f"{', '.join(names)}: look at them, or lower the learning rate"
        )

    def on_train_end(self) -> None:
        """Check the last losses."""
        self.require_finite()

    def in_memory_format(self, image: Tensor) -> Tensor:
        """Return photographs in the memory format of the weights."""
        if self.channels_last:
            return image.contiguous(memory_format=torch.channels_last)
        return image

    def trained_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that the optimizer moves: the network's, never a teacher's."""
        return [p for p in self.network.parameters() if p.requires_grad]

    def configure_optimizers(self) -> Any:
        """Return the optimizer of :meth:`trained_parameters` and its schedule."""
        parameters = self.trained_parameters()
        if self.optimizer is None:
            optimizer: torch.optim.Optimizer = torch.optim.Adam(
                parameters, lr=LEARNING_RATE, foreach=True
            )
        else:
            optimizer = self.optimizer(parameters)
        schedule = LambdaLR(
            optimizer,
            lambda step: learning_rate_factor(
                step / max(1, self.total_steps), self.warm_up, self.decay
            ),
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep plain hyper-parameters only, so that loading a checkpoint cannot run code.

        A task built by the command line has its networks among them as class paths and can be
        rebuilt from the checkpoint; built in Python they are objects and left out.

        Raises:
            UserError: If a loss was not finite: such weights are not saved.
        """
        self.require_finite()
        checkpoint["image_size"], checkpoint["least_size"] = self.image_size, self.least_size
        saved = checkpoint.get("hyper_parameters", {})
        checkpoint["hyper_parameters"] = {
            name: value for name, value in saved.items() if _is_plain(value)
        }

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]
        cls, checkpoint_path: str | Path, trusted: Collection[str] = (), **options: Any
    ) -> Self:
        """Build the task from its own checkpoint, a file.

        Args:
            checkpoint_path: The checkpoint.
            trusted: Paths of classes of your own that it may name.
            options: See Lightning's, `map_location`, `strict` and arguments of the task.

        Raises:
            UserError: If the checkpoint is damaged, or names what it may not; see
                :func:`magenet.checkpoints.read_checkpoint`.
        """
        read_checkpoint(checkpoint_path, trusted=trusted)
        task: Self = super().load_from_checkpoint(checkpoint_path, **options, weights_only=True)
        return task

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the size of the photographs that the network was trained on."""
        self.image_size = checkpoint.get("image_size")
        self.least_size = checkpoint.get("least_size")

    def _count_steps(self) -> int:
        """Return the optimizer steps of the whole training.

        Raises:
            UsageError: If the training has no end.
        """
        steps = self.trainer.estimated_stepping_batches
        if not math.isfinite(steps) or steps < 1:
            raise UsageError(
                "the learning-rate schedule needs an end: set trainer.max_steps or "
                "trainer.max_epochs"
            )
        return int(steps)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load weights.

        Raises:
            UserError: If they are of another network, naming the first that does not fit.
        """
        own = self.state_dict()
        for name in sorted(own.keys() | state_dict.keys()) if strict else ():
            shapes = [
                "absent" if name not in weights else "x".join(map(str, weights[name].shape))
                for weights in (state_dict, own)
            ]
            if shapes[0] != shapes[1]:
                raise UserError(
                    f"the checkpoint is of another network: '{name}' is {shapes[0] or 'a number'} "
                    f"in it and {shapes[1] or 'a number'} in the model as configured"
                )
        return super().load_state_dict(state_dict, strict=strict, assign=assign)


def _is_plain(value: Any) -> bool:
    """Return whether a value consists of plain Python values only."""
    if isinstance(value, dict):
        return all(_is_plain(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))


def _names(batch: Batch) -> list[str]:
    """Return the names of the photographs in a batch, of both parts of a mixed one."""
    if "synthetic" in batch and "real" in batch:
        return _names(batch["synthetic"]) + _names(batch["real"])
    return batch.get("name", [])
