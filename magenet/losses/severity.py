"""A frozen measure of severity, and the loss that asks a student to lower it."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional

from magenet.checkpoints import read_network
from magenet.models.severity import SeverityRegressor, severity

SEVERITY_HINT = "train it first, by experiments/configs/runs/adaptation/severity.yaml"

FALL = 2.0 * math.log(2.0)
"""Fall of the severity that is enough: half of the error in light and in detail (our choice)."""


class SeverityMeasure(nn.Module):
    """A trained :class:`SeverityRegressor`, frozen.

    Args:
        regressor: The regressor; frozen here.
        checkpoint: Checkpoint of the `SeverityTask` that trained it; read when training starts
            and when it goes on. A test or prediction has its weights from the checkpoint.
    """

    def __init__(self, regressor: SeverityRegressor, checkpoint: str | None = None) -> None:
        super().__init__()
        self.regressor = regressor.requires_grad_(False).eval()
        self.checkpoint = checkpoint

    def load(self) -> None:
        """Load the regressor's weights.

        Raises:
            UserError: If the checkpoint is missing or belongs to another network.
        """
        if self.checkpoint is not None:
            read_network(self.regressor, self.checkpoint, SEVERITY_HINT)

    def forward(self, image: Tensor) -> Tensor:
        """Return logarithms of the errors of each block; see :class:`SeverityRegressor`."""
        logarithms: Tensor = self.regressor(image)
        return logarithms

    def severity(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the severity of photographs `(B, 3, H, W)` inside their field, `(B,)`."""
        return severity(self(image), mask)


class DirectionLoss(nn.Module):
    """Directional term: an enhanced photograph is to be less severely degraded than before.

    A regressor can be deceived, and a network soon learns how: so no more is asked than a fall by
    half, and the consistency stays beside it.

    Args:
        measure: The frozen regressor.

    References:
        Zhang et al., "RankSRGAN", ICCV 2019, for the score of a trained ranker as a loss; that it
        is a hinge on a regressor's logarithms is our choice.
    """

    def __init__(self, measure: SeverityMeasure) -> None:
        super().__init__()
        self.measure = measure

    def forward(self, enhanced: Tensor, photograph: Tensor, mask: Tensor) -> Tensor:
        """Return the loss, a scalar: what the fall of the severity lacks to :data:`FALL`.

        Args:
            enhanced: Of the student, `(B, 3, H, W)`, with gradient.
            photograph: What it was made of, `(B, 3, H, W)` in [0, 1].
            mask: Field of view, `(B, 1, H, W)`, 0 or 1.
        """
        before = self.measure.severity(photograph, mask).detach()
        after = self.measure.severity(enhanced.float() * mask, mask)
        return functional.relu(after - before + FALL).mean()
