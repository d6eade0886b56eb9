"""A small network that grades photographs: their quality, or a disease."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class GradingBlock(nn.Module):
    """Halve the resolution by a residual block.

    Args:
        channels: Channels that come in.
        width: Channels that go out.
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
    """Return the difference from the mean of 9 x 9 pixels, as a share of that mean, times 4.

    Args:
        image: `(B, C, H, W)` in [0, 1]; what is darker than 0.05 counts as that, so that noise in
            the surround stays small.
    """
    mean = functional.avg_pool2d(image, 9, 1, 4, count_include_pad=False)
    return 4.0 * (image - mean) / mean.clamp(min=0.05)


class Grader(nn.Module):
    """Grade photographs by a small residual network on an input of fixed geometry.

    A photograph of any size is resized first, so that the verdict is about the retina and not
    about the file. Beside its colours the network is given its detail, relative to the brightness
    around. What is judged are the mean and the spread of each channel at every scale: sharpness
    shows in the spread at fine scales, shadows and lesions at coarse ones.

    Args:
        classes: Grades to tell apart.
        size: Side that photographs are resized to, in pixels.
        widths: Channels of the stem, then of each block; all halve the resolution.
        dropout: Share of the features dropped in training: the sets are small.

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
        # Features of different scales differ by orders of magnitude, which no one rate can learn.
        self.norm = nn.BatchNorm1d(count)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(count, classes)
        self.register_buffer("temperature", torch.ones(()))

    def features(self, image: Tensor) -> Tensor:
        """Return what is judged, `(B, D)`, for photographs `(B, 3, S, S)` in [0, 1].

        Args:
            image: Cut to the square around the field, black outside it.
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
    """Return mean and logarithm of the spread, `(B, 2 C)` in fp32, away from the field's edge.

    Args:
        level: `(B, C, H, W)`.
    """
    rows, columns = (
        ((torch.arange(side, device=level.device) + 0.5) / side * 2 - 1).square()
        for side in level.shape[-2:]
    )
    # The edge of the field is the sharpest thing in a photograph, and says nothing about it.
    inner = (rows[:, None] + columns[None, :]).sqrt() < 0.9
    values = level.float()[..., inner]
    return torch.cat([values.mean(dim=2), (values.std(dim=2) + 1e-3).log()], dim=1)
