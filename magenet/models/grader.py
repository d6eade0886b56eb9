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


class Grader(nn.Module):
    """Grade photographs by a small residual network on an input of fixed geometry.

    A photograph of any size is resized first, so that the verdict is about the retina and not
    about the file. Means over the field at several scales are judged: sharpness shows at the fine
    ones, shadows and lesions at the coarse ones.

    Args:
        classes: Grades to tell apart.
        size: Side that photographs are resized to, in pixels.
        widths: Channels of the stem, then of each block; all halve the resolution.
        dropout: Share of the features dropped in training: the sets are small.

    Example:
        >>> grader = Grader(classes=3, size=64, widths=[8, 8, 16]).eval()
        >>> image = torch.rand(2, 3, 100, 100)
        >>> grader(image).shape, grader.features(image).shape
        (torch.Size([2, 3]), torch.Size([2, 24]))
    """

    temperature: Tensor

    def __init__(
        self,
        classes: int = 3,
        size: int = 256,
        widths: Sequence[int] = (24, 48, 96, 128, 160),
        dropout: float = 0.4,
    ) -> None:
        super().__init__()
        self.classes = classes
        self.size = size
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        )
        self.blocks = nn.ModuleList(GradingBlock(*pair) for pair in pairwise(widths))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(sum(widths[1:]), classes)
        self.register_buffer("temperature", torch.ones(()))

    def features(self, image: Tensor) -> Tensor:
        """Return what is judged, `(B, D)`, for photographs `(B, 3, S, S)` in [0, 1].

        Args:
            image: Cut to the square around the field, black outside it.
        """
        if image.shape[-2:] != (self.size, self.size):
            side = (self.size, self.size)
            image = functional.interpolate(image, side, mode="bilinear", antialias=True)
        level = self.stem(image)
        means = []
        for block in self.blocks:
            level = block(level)
            means.append(level.float().mean(dim=(2, 3)))
        return torch.cat(means, dim=1)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits `(B, classes)`, not calibrated; see :meth:`features`."""
        logits: Tensor = self.head(self.dropout(self.features(image)))
        return logits.float()

    def probabilities(self, image: Tensor) -> Tensor:
        """Return calibrated probabilities `(B, classes)`: logits are divided by `temperature`."""
        logits: Tensor = self(image)
        return (logits / self.temperature).softmax(dim=1)
