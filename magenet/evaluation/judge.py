"""What every judge of enhanced photographs takes and returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from magenet.checkpoints import read_network

Batch = dict[str, Any]


class Judge(nn.Module, ABC):
    """Score photographs one by one, whoever made them: the same for all that are compared."""

    def load(self) -> None:
        """Read what it needs from disk; called once before a test."""

    def start_batch(self, batch: Batch) -> None:
        """Measure what all subjects of a batch are compared with; called once before them."""

    @abstractmethod
    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Score the photographs of a batch.

        Args:
            image: What somebody made of them, `(B, 3, H, W)` in [0, 1], black outside the field.
            batch: What the data module gave: `mask_fov`, labels, `image_clean` where it is known.

        Returns:
            `(B,)` a score, by its name. NaN marks a photograph that a score is not defined for:
            it stays an empty cell and is never a zero. Nothing where the batch has not what the
            judge needs.
        """


class NetworkJudge(Judge):
    """Judge with the eyes of a frozen network.

    Args:
        network: The network.
        checkpoint: Checkpoint of the task that trained it; as it stands if null.
    """

    how = "train it first"
    """What to do where the checkpoint is missing."""

    def __init__(self, network: nn.Module, checkpoint: str | None = None) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()
        self.checkpoint = checkpoint

    def load(self) -> None:
        """Read the weights; see :func:`magenet.checkpoints.read_network`."""
        if self.checkpoint is not None:
            read_network(self.network, self.checkpoint, self.how)

    def train(self, mode: bool = True) -> NetworkJudge:
        """Stay in evaluation mode, whatever is asked."""
        return super().train(False)

    def seen(self, image: Tensor) -> Tensor:
        """Return the network's logits in fp32.

        The network itself runs in bf16, whatever the test's own precision: everybody who is
        compared is seen through the same eyes.
        """
        with torch.autocast(image.device.type, torch.bfloat16):
            logits: Tensor = self.network(image.contiguous(memory_format=torch.channels_last))
        return logits.float()


def taken(batch: Batch) -> Tensor:
    """Return a batch's photographs as they were before anybody enhanced them."""
    image: Tensor = batch["image_degraded"] if "image_degraded" in batch else batch["image"]
    return image


def where(known: Tensor, scores: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return scores with NaN where the label that they need is unknown.

    Args:
        known: bool `(B,)`.
        scores: `(B,)` each.
    """
    return {name: value.where(known, torch.nan) for name, value in scores.items()}
