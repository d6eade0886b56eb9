"""Out-of-distribution check: whether an image looks like a fundus photograph at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from magenet.errors import UserError
from magenet.imaging.field_of_view import FieldOfView
from magenet.metrics import STATISTICS, appearance
from magenet.models.pretrained import USE, WEIGHTS

CHECK_SIZE = 256
"""Side at which images are checked, in pixels."""

CELLS = 16
"""Cells along each side over which colours are compared (our choice)."""


class NotAFundusError(UserError):
    """The image does not look like a fundus photograph."""


@dataclass(frozen=True)
class FundusCheck:
    """Gaussian models of the statistics of fundus photographs: as taken, blurred, grey and so on.

    Images far from every mean in Mahalanobis distance are rejected. The distance has no unit: it
    counts standard deviations of fundus photographs.

    Attributes:
        mean: Mean of :func:`image_statistics` over each group of photographs; over all of them
            alone in the settings of older weights.
        precision: Inverse of each group's covariance; likewise.
        limit: Distance above which an image is rejected.

    References:
        Lee et al., "A simple unified framework for detecting out-of-distribution samples", NeurIPS
        2018, for the distance from the nearest of several Gaussians; the statistics are our choice.
    """

    mean: Sequence[float] | Sequence[Sequence[float]]
    precision: Sequence[Sequence[float]] | Sequence[Sequence[Sequence[float]]]
    limit: float

    def distance(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the Mahalanobis distance of images from the nearest group, `(B,)`.

        Args:
            image: `(B, 3, CHECK_SIZE, CHECK_SIZE)` in [0, 1], black outside the field.
            mask: Field of view, `(B, 1, CHECK_SIZE, CHECK_SIZE)`, 0 or 1.
        """
        return self.distance_of(image_statistics(image, mask))

    def distance_of(self, statistics: Tensor) -> Tensor:
        """Return the distance of images, `(B,)`, from their :func:`image_statistics`."""
        mean = torch.tensor(self.mean, dtype=torch.float64).reshape(-1, statistics.shape[1])
        precision = torch.tensor(self.precision, dtype=torch.float64)
        precision = precision.reshape(len(mean), *precision.shape[-2:])
        difference = statistics[:, None] - mean
        squared = torch.einsum("bgi,gij,bgj->bg", difference, precision, difference)
        return squared.clamp(min=0.0).sqrt().amin(dim=1)

    def require(self, image: Tensor, mask: Tensor, field: FieldOfView) -> None:
        """Raise unless an image looks like a fundus photograph.

        Args:
            image: `(1, 3, CHECK_SIZE, CHECK_SIZE)` in [0, 1], black outside the field.
            mask: Field of view, `(1, 1, CHECK_SIZE, CHECK_SIZE)`, 0 or 1.
            field: Field of view in the whole photograph.

        Raises:
            NotAFundusError: With the reason.
        """
        if field.confidence == 0.0:
            raise NotAFundusError("no field of view was found: not a fundus photograph?")
        distance = float(self.distance(image, mask))
        if distance > self.limit:
            raise NotAFundusError(
                "does not look like a fundus photograph: its light, colours and sharpness are too "
                f"far from theirs ({distance:.1f} standard deviations, limit {self.limit:.1f})"
            )

    @classmethod
    def fit(cls, groups: Sequence[Tensor], limit: float) -> FundusCheck:
        """Return the model of given photographs.

        Args:
            groups: What :func:`image_statistics` gives, one row for each photograph of a group.
            limit: Distance above which an image is rejected.
        """
        # Ridge: a statistic that hardly varies within a group must not decide alone.
        ridge = 1e-3 * torch.cat(list(groups)).var(dim=0).diag()
        precision = [torch.linalg.inv(torch.cov(group.mT) + ridge) for group in groups]
        return cls(
            [group.mean(dim=0).tolist() for group in groups],
            [inverse.tolist() for inverse in precision],
            limit,
        )

    @classmethod
    @cache
    def released(cls) -> FundusCheck:
        """Return the model that comes with the released weights; it holds for any network."""
        config = json.loads((WEIGHTS / "mage_net/config.json").read_text())
        return cls(**config[USE]["fundus_check"])


def image_statistics(image: Tensor, mask: Tensor) -> Tensor:
    """Return the statistics of images, `(B, N)` double: :func:`appearance` and colour spread.

    Args:
        image: `(B, 3, S, S)` in [0, 1], black outside the field.
        mask: Field of view, `(B, 1, S, S)`, 0 or 1.
    """
    values = appearance(image, mask)
    known = torch.stack([values[name].double().cpu() for name in STATISTICS], dim=1)
    return torch.cat([known, colour_spread(image, mask).double().cpu()], dim=1)


def colour_spread(image: Tensor, mask: Tensor) -> Tensor:
    """Return how much hues vary over an image: hardly in a fundus, whatever its illumination.

    Args:
        image: `(B, 3, S, S)` in [0, 1], black outside the field.
        mask: Field of view, `(B, 1, S, S)`, 0 or 1.

    Returns:
        Standard deviations of the logarithms of red and of blue over green, `(B, 2)`.
    """
    side = max(1, image.shape[-1] // CELLS)
    inside = functional.avg_pool2d(mask, side)
    cells = functional.avg_pool2d(image * mask, side) / inside.clamp(min=1e-3)
    whole = (inside > 0.95).float()
    red, green, blue = cells.clamp(min=0.02).log().unbind(dim=1)
    ratios = torch.stack([red - green, blue - green], dim=1)
    count = whole.sum(dim=(2, 3)).clamp(min=1.0)
    mean = (ratios * whole).sum(dim=(2, 3)) / count
    deviation = (ratios - mean[:, :, None, None]).square() * whole
    return (deviation.sum(dim=(2, 3)) / count).sqrt()
