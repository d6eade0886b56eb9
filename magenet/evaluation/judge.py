"""Base classes of the judges, and helpers they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

import torch
from torch import Tensor, nn

from data_modules.batch import Batch
from magenet.checkpoints import read_network

T = TypeVar("T")


class Judge(nn.Module, ABC):
    """Module that scores each photograph of a batch, in the same way for every subject."""

    def load(self) -> None:
        """Read weights or models from disk; called once before a test."""

    def start_batch(self, batch: Batch) -> None:
        """Compute what all subjects of a batch share; called once, before they are scored.

        The order of the subjects then does not matter. Most judges need nothing.

        Args:
            batch: See :meth:`forward`.
        """

    @abstractmethod
    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Score one subject's photographs of a batch.

        Args:
            image: The subject's photographs, `(B, 3, H, W)` in [0, 1], black outside the field.
            batch: Batch of the data module, the last one given to :meth:`start_batch`: `mask_fov`,
                labels, `image_clean` where available.

        Returns:
            Scores `(B,)` by name. NaN marks a photograph for which a score is undefined: its cell
            stays empty, and it never counts as zero. Empty where the batch lacks what the judge
            needs.
        """


class NetworkJudge(Judge):
    """Judge that scores with a frozen network.

    Args:
        network: The network.
        checkpoint: Checkpoint of the task that trained it; the network is used as it is if null.
    """

    advice = "train it first"
    """Advice in the error message where the checkpoint is missing."""

    def __init__(self, network: nn.Module, checkpoint: str | None = None) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()
        self.checkpoint = checkpoint

    def load(self) -> None:
        """Read the weights; see :func:`magenet.checkpoints.read_network`."""
        if self.checkpoint is not None:
            read_network(self.network, self.checkpoint, self.advice)

    def train(self, mode: bool = True) -> NetworkJudge:
        """Keep the network in evaluation mode."""
        return super().train(False)

    def logits(self, image: Tensor) -> Tensor:
        """Return the network's logits in fp32.

        The network runs in bf16 whatever the precision of the test, so that all subjects are
        scored alike.
        """
        with torch.autocast(image.device.type, torch.bfloat16):
            logits: Tensor = self.network(image.contiguous(memory_format=torch.channels_last))
        return logits.float()


def started(value: T | None) -> T:
    """Return what a judge computed in :meth:`Judge.start_batch`.

    Raises:
        RuntimeError: If it is None: :meth:`Judge.start_batch` was not called before.
    """
    if value is None:
        raise RuntimeError("call start_batch(batch) before scoring the batch's photographs")
    return value


def nan_where_unknown(known: Tensor, scores: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return scores with NaN for photographs without the label that they need.

    Args:
        known: Whether the label is known, bool `(B,)`.
        scores: `(B,)` each.
    """
    return {name: value.where(known, torch.nan) for name, value in scores.items()}
