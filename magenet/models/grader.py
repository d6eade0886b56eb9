"""A small network that grades photographs by quality or by disease."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class GradingBlock(nn.Module):
    """Residual block with stride 2.

    Args:
        channels: Input channels.
        width: Output channels.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.past = nn.Sequential(
            nn.AvgPool2d(2, ceil_mode=True), nn.Conv2d(channels, width, 1, bias=False)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return `(B, width, H / 2, W / 2)`, rounded up."""
        return functional.relu(self.body(image) + self.past(image))


def relative_detail(image: Tensor) -> Tensor:
    """Return the relative difference from the local mean over 9 x 9 pixels, times 4.

    Args:
        image: `(B, C, H, W)` in [0, 1]. Means below 0.05 are raised to 0.05, so that noise in the
            surround stays small.
    """
    mean = functional.avg_pool2d(image, 9, 1, 4, count_include_pad=False)
    return 4.0 * (image - mean) / mean.clamp(min=0.05)


class Grader(nn.Module):
    """Residual network that grades photographs at a fixed input size.

    A photograph of any size is resized first, so that the grade depends on the retina and not on
    the size of the file. The input is the photograph and its detail relative to the local mean. The
    features are the mean and the standard deviation of each channel at every scale: sharpness shows
    in the deviation at fine scales, shadows and lesions at coarse ones.

    Args:
        classes: Number of grades.
        size: Side to which photographs are resized, in pixels.
        widths: Channels of the stem, then of each block; all halve the resolution.
        dropout: Fraction of the features dropped in training, since the data sets are small.

    Example:
        >>> grader = Grader(classes=3, size=64, widths=[8, 8, 16]).eval()
        >>> image = torch.rand(2, 3, 100, 100)
        >>> grader(image).shape, grader.features(image).shape
        (torch.Size([2, 3]), torch.Size([2, 64]))
    """

    temperature: Tensor

    def __init__(
        self,
        classes: int = 3,
        size: int = 256,
        widths: Sequence[int] = (16, 32, 64, 128, 160),
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.classes = classes
        self.size = size
        self.stem = nn.Sequential(
            nn.Conv2d(6, widths[0], 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        )
        self.blocks = nn.ModuleList(GradingBlock(*pair) for pair in pairwise(widths))
        count = 2 * sum(widths)
        # Features of different scales differ by orders of magnitude: no single rate suits all.
        self.norm = nn.BatchNorm1d(count)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(count, classes)
        self.register_buffer("temperature", torch.ones(()))

    def features(self, image: Tensor) -> Tensor:
        """Return the features for the classifier, `(B, D)`.

        Args:
            image: Photographs `(B, 3, S, S)` in [0, 1], cropped to the square around the field,
                black outside it.
        """
        if image.shape[-2:] != (self.size, self.size):
            side = (self.size, self.size)
            image = functional.interpolate(image, side, mode="bilinear", antialias=True)
        levels = [self.stem(torch.cat([image, relative_detail(image)], dim=1))]
        for block in self.blocks:
            levels.append(block(levels[-1]))
        features: Tensor = self.norm(torch.cat([_statistics(level) for level in levels], dim=1))
        return features

    def forward(self, image: Tensor) -> Tensor:
        """Return logits `(B, classes)`, not calibrated; see :meth:`features`."""
        logits: Tensor = self.head(self.dropout(self.features(image)))
        return logits.float()

    def probabilities(self, image: Tensor) -> Tensor:
        """Return calibrated probabilities `(B, classes)`: logits are divided by `temperature`."""
        logits: Tensor = self(image)
        return (logits / self.temperature).softmax(dim=1)


def _statistics(level: Tensor) -> Tensor:
    """Return mean and log standard deviation inside the field's edge, `(B, 2 C)` in fp32.

    Args:
        level: `(B, C, H, W)`.
    """
    rows, columns = (
        ((torch.arange(side, device=level.device) + 0.5) / side * 2 - 1).square()
        for side in level.shape[-2:]
    )
    # The field's edge is the sharpest edge in a photograph and says nothing about its grade.
    inner = (rows[:, None] + columns[None, :]).sqrt() < 0.9
    values = level.float()[..., inner]
    return torch.cat([values.mean(dim=2), (values.std(dim=2) + 1e-3).log()], dim=1)
