"""Whether a photograph is one of a fundus at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from magenet.metrics import STATISTICS, appearance


@dataclass(frozen=True)
class Looks:
    """Know how fundus photographs look, good and bad ones, in a few numbers.

    Attributes:
        mean: Of :data:`magenet.metrics.STATISTICS` over many of them.
        precision: Inverse of their covariance.
        limit: Distance beyond which a photograph is taken for something else.
    """

    mean: Sequence[float]
    precision: Sequence[Sequence[float]]
    limit: float

    def distance(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return how far photographs lie from fundus photographs (Mahalanobis), `(B,)`.

        Args:
            image: `(B, 3, S, S)` in [0, 1], the square around the field.
            mask: Field of view, `(B, 1, S, S)`, 0 or 1.
        """
        away = described(image, mask) - torch.tensor(self.mean, dtype=torch.float64)
        precision = torch.tensor(self.precision, dtype=torch.float64)
        return torch.einsum("bi,ij,bj->b", away, precision, away).clamp(min=0.0).sqrt()

    @classmethod
    def fitted(cls, described: Tensor, limit: float) -> Looks:
        """Return what is known after looking at photographs.

        Args:
            described: What :func:`described` gives of them, `(n, STATISTICS)`.
            limit: See :class:`Looks`.
        """
        covariance = torch.cov(described.mT)
        # A statistic that hardly varies must not decide alone.
        ridge = 1e-3 * covariance.diagonal().mean() * torch.eye(len(covariance)).double()
        precision = torch.linalg.inv(covariance + ridge)
        return cls(described.mean(dim=0).tolist(), precision.tolist(), limit)


def described(image: Tensor, mask: Tensor) -> Tensor:
    """Return photographs' statistics as rows, double `(B, STATISTICS)`; see :func:`appearance`."""
    values = appearance(image, mask)
    return torch.stack([values[name].double().cpu() for name in STATISTICS], dim=1)
