"""Whether a photograph is one of a fundus at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from magenet.metrics import STATISTICS, appearance

PLACES = 16
"""Places along each side at which colours are compared (our choice)."""


@dataclass(frozen=True)
class FundusCheck:
    """Know how fundus photographs look, good and bad ones, in a few numbers.

    Attributes:
        mean: Of what :func:`image_statistics` gives, over many of them.
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
        away = image_statistics(image, mask) - torch.tensor(self.mean, dtype=torch.float64)
        precision = torch.tensor(self.precision, dtype=torch.float64)
        return torch.einsum("bi,ij,bj->b", away, precision, away).clamp(min=0.0).sqrt()

    @classmethod
    def fitted(cls, image_statistics: Tensor, limit: float) -> FundusCheck:
        """Return what is known after looking at photographs.

        Args:
            image_statistics: What :func:`image_statistics` gives of them, a row each.
            limit: See :class:`FundusCheck`.
        """
        covariance = torch.cov(image_statistics.mT)
        # A statistic that hardly varies must not decide alone.
        ridge = 1e-3 * covariance.diagonal().mean() * torch.eye(len(covariance)).double()
        precision = torch.linalg.inv(covariance + ridge)
        return cls(image_statistics.mean(dim=0).tolist(), precision.tolist(), limit)


def image_statistics(image: Tensor, mask: Tensor) -> Tensor:
    """Return photographs' statistics as rows, double: :func:`appearance`, then how colours spread.

    Args:
        image: `(B, 3, S, S)` in [0, 1], black outside the field.
        mask: Field of view, `(B, 1, S, S)`, 0 or 1.
    """
    values = appearance(image, mask)
    known = torch.stack([values[name].double().cpu() for name in STATISTICS], dim=1)
    return torch.cat([known, colour_spread(image, mask).double().cpu()], dim=1)


def colour_spread(image: Tensor, mask: Tensor) -> Tensor:
    """Return how much colours differ from place to place: hardly in a fundus, whatever its light.

    Args:
        image: `(B, 3, S, S)` in [0, 1], black outside the field.
        mask: Field of view, `(B, 1, S, S)`, 0 or 1.

    Returns:
        Standard deviations of the logarithms of red and of blue over green, `(B, 2)`.
    """
    side = max(1, image.shape[-1] // PLACES)
    inside = functional.avg_pool2d(mask, side)
    places = functional.avg_pool2d(image * mask, side) / inside.clamp(min=1e-3)
    whole = (inside > 0.95).float()
    red, green, blue = places.clamp(min=0.02).log().unbind(dim=1)
    ratios = torch.stack([red - green, blue - green], dim=1)
    count = whole.sum(dim=(2, 3)).clamp(min=1.0)
    mean = (ratios * whole).sum(dim=(2, 3)) / count
    apart = (ratios - mean[:, :, None, None]).square() * whole
    return (apart.sum(dim=(2, 3)) / count).sqrt()
