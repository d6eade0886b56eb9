"""NAFNet: a restoration network without nonlinear activation functions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from magenet.models.enhancer import Enhancer, EnhancerOutput, Standardise, padded_to


class ChannelNorm(nn.Module):
    """Layer normalisation of each pixel over its channels, with scale and shift.

    Args:
        width: Number of channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, features: Tensor) -> Tensor:
        """Return normalised features, `(B, C, H, W)`."""
        variance, mean = torch.var_mean(features, dim=1, correction=0, keepdim=True)
        normal = (features - mean) * (variance + 1e-6).rsqrt()
        # otherwise fp32 under autocast, with twice the memory traffic
        weight, bias = (p.to(features.dtype)[:, None, None] for p in (self.weight, self.bias))
        return normal * weight + bias


def gated(features: Tensor) -> Tensor:
    """Return the product of the two halves of the channels (SimpleGate)."""
    first, second = features.chunk(2, dim=1)
    return first * second


class Block(nn.Module):
    """NAFNet block: a gated depthwise convolution, then a gated pair of 1x1 convolutions.

    Args:
        width: Number of channels in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        double = 2 * width
        self.norm_spatial, self.norm_channel = ChannelNorm(width), ChannelNorm(width)
        self.expand = nn.Conv2d(width, double, 1)
        self.look = nn.Conv2d(double, double, 3, padding=1, groups=double)
        self.weigh = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, width, 1))
        self.project = nn.Conv2d(width, width, 1)
        self.mix = nn.Conv2d(width, double, 1)
        self.gather = nn.Conv2d(width, width, 1)
        # Initialised to zero, as published: a new block is the identity.
        self.scale_spatial = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.scale_channel = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Return refined features, `(B, C, H, W)` like `features`."""
        refined = gated(self.look(self.expand(self.norm_spatial(features))))
        refined = self.project(refined * self.weigh(refined))
        features = features + refined * self.scale_spatial.to(refined.dtype)
        refined = self.gather(gated(self.mix(self.norm_channel(features))))
        mixed: Tensor = features + refined * self.scale_channel.to(refined.dtype)
        return mixed


class NAFNet(Enhancer):
    """NAFNet: one encoder-decoder of gated blocks; our implementation of the description.

    Args:
        width: Channels at full resolution, doubled at each level. 32 in NAFNet.
        encoder: Blocks of each level of the encoder, finest first.
        middle: Blocks at the coarsest level.
        decoder: Blocks of each level of the decoder, finest first. The defaults (our choice) have
            1.5 M parameters and 3.1 GMACs at 256x256.

    Example:
        >>> import torch
        >>> NAFNet(4, [1], 1, [1])(torch.rand(1, 3, 33, 20)).image.shape
        torch.Size([1, 3, 33, 20])

    References:
        Chen et al., "Simple baselines for image restoration", ECCV 2022, section 3.
    """

    def __init__(
        self,
        width: int = 24,
        encoder: Sequence[int] = (1, 1, 2),
        middle: int = 4,
        decoder: Sequence[int] = (1, 1, 1),
    ) -> None:
        super().__init__()

        def blocks(level: int, count: int) -> nn.Sequential:
            return nn.Sequential(*(Block(width * 2**level) for _ in range(count)))

        levels = range(len(encoder))
        self.multiple = 2 ** len(levels)
        self.standardise = Standardise()
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.encoders = nn.ModuleList(blocks(level, encoder[level]) for level in levels)
        self.down = nn.ModuleList(
            nn.Conv2d(width * 2**level, width * 2 ** (level + 1), 2, stride=2) for level in levels
        )
        self.middle = blocks(len(levels), middle)
        self.up = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width * 2 ** (level + 1), width * 2 ** (level + 2), 1, bias=False),
                nn.PixelShuffle(2),
            )
            for level in levels
        )
        self.decoders = nn.ModuleList(blocks(level, decoder[level]) for level in levels)
        self.correct = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, image: Tensor, mask: Tensor | None = None) -> EnhancerOutput:
        """Enhance a batch of photographs.

        Args:
            image: `(B, 3, H, W)` in [0, 1], any height and width; padded inside.
            mask: Not used.

        Returns:
            One estimate, `(B, 3, H, W)`; no structure map.
        """
        height, width = image.shape[-2:]
        padded = padded_to(image, self.multiple)
        features = self.first(self.standardise(padded))
        skips = []  # (B, width 2^l, H / 2^l, W / 2^l)
        for encoder, down in zip(self.encoders, self.down, strict=True):
            skips.append(encoder(features))
            features = down(skips[-1])
        features = self.middle(features)
        for up, decoder in zip(reversed(self.up), reversed(self.decoders), strict=True):
            features = decoder(up(features) + skips.pop())
        return EnhancerOutput(((padded + self.correct(features))[..., :height, :width],))
