"""MPRNet as published: the multi-stage network that MAGE-Net's construction follows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from magenet.models.enhancer import Enhancer, EnhancerOutput, Standardise, padded_to
from magenet.models.stages import LEVELS

MULTIPLE = 2 * 2 ** (LEVELS - 1)
"""Sides must be multiples of this: a quadrant is half a side and halved between levels."""

REDUCTION = 4
"""Reduction factor of the channel attention's bottleneck (MPRNet)."""


def convolution(width_in: int, width_out: int, side: int) -> nn.Conv2d:
    """Return a convolution that keeps the size, without bias, as all of MPRNet's."""
    return nn.Conv2d(width_in, width_out, side, padding=side // 2, bias=False)


class Features(NamedTuple):
    """Features of an encoder-decoder stage, finest level first.

    Attributes:
        encoder: One `(B, C_l, h_l, w_l)` tensor per level.
        decoder: Tensors of the same shapes, from the decoder.
    """

    encoder: Sequence[Tensor]
    decoder: Sequence[Tensor]


class ChannelAttentionBlock(nn.Module):
    """Channel attention block (CAB): a residual block of two convolutions and attention.

    Args:
        width: Number of channels in and out.
        activation: The PReLU shared by the whole network.
    """

    def __init__(self, width: int, activation: nn.PReLU) -> None:
        super().__init__()
        hidden = width // REDUCTION
        self.refine = nn.Sequential(
            convolution(width, width, 3), activation, convolution(width, width, 3)
        )
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            convolution(width, hidden, 1),
            nn.ReLU(),
            convolution(hidden, width, 1),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return refined features, `(B, C, H, W)` like `features`."""
        refined: Tensor = self.refine(features)
        weight: Tensor = self.weigh(refined)
        return features + refined * weight


def blocks_of(width: int, count: int, activation: nn.PReLU) -> nn.Sequential:
    """Return a sequence of `count` channel attention blocks."""
    return nn.Sequential(*(ChannelAttentionBlock(width, activation) for _ in range(count)))


def resize(factor: float, width_in: int, width_out: int) -> nn.Sequential:
    """Return a bilinear resize by `factor` and a 1x1 convolution to another width."""
    return nn.Sequential(
        nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False),
        convolution(width_in, width_out, 1),
    )


class Encoder(nn.Module):
    """Encoder of a patch of the photograph, with three resolutions.

    Args:
        widths: Channels of each level, finest first.
        activation: The shared PReLU.
        fuses: Whether it adds the previous stage's features (cross-stage feature fusion, CSFF).
    """

    def __init__(self, widths: Sequence[int], activation: nn.PReLU, *, fuses: bool) -> None:
        super().__init__()
        self.levels = nn.ModuleList(blocks_of(width, 2, activation) for width in widths)
        self.down = nn.ModuleList(resize(0.5, fine, coarse) for fine, coarse in pairwise(widths))
        fused = widths if fuses else []
        self.from_encoder = nn.ModuleList(convolution(width, width, 1) for width in fused)
        self.from_decoder = nn.ModuleList(convolution(width, width, 1) for width in fused)

    def forward(self, features: Tensor, previous: Features | None = None) -> list[Tensor]:
        """Return the features of each level, `(B, widths[l], h / 2^l, w / 2^l)`.

        Args:
            features: `(B, widths[0], h, w)`.
            previous: Features of the previous stage on the same patch, if the encoder fuses.
        """
        encoded = []
        for level, refine in enumerate(self.levels):
            features = refine(self.down[level - 1](features) if level else features)
            if previous is not None:
                features = (
                    features
                    + self.from_encoder[level](previous.encoder[level])
                    + self.from_decoder[level](previous.decoder[level])
                )
            encoded.append(features)
        return encoded


class Decoder(nn.Module):
    """Decoder whose skip connections each pass through a channel attention block.

    Args:
        widths: Channels of each level, finest first.
        activation: The shared PReLU.
    """

    def __init__(self, widths: Sequence[int], activation: nn.PReLU) -> None:
        super().__init__()
        self.levels = nn.ModuleList(blocks_of(width, 2, activation) for width in widths)
        self.up = nn.ModuleList(resize(2.0, coarse, fine) for fine, coarse in pairwise(widths))
        self.skips = nn.ModuleList(blocks_of(width, 1, activation) for width in widths[:-1])

    def forward(self, encoded: Sequence[Tensor]) -> list[Tensor]:
        """Return features of the shapes of `encoded`, finest level first."""
        features: Tensor = self.levels[-1](encoded[-1])
        decoded = [features]
        for level in range(len(encoded) - 2, -1, -1):
            features = self.up[level](features) + self.skips[level](encoded[level])
            features = self.levels[level](features)
            decoded.insert(0, features)
        return decoded


class SupervisedAttention(nn.Module):
    """Supervised attention module (SAM): a stage's estimate, and features gated by it.

    Args:
        width: Number of channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.transform = convolution(width, width, 1)
        self.correct = convolution(width, 3, 1)
        self.weigh = convolution(3, width, 1)

    def forward(self, features: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return features for the next stage, `(B, C, h, w)`, and the estimate, `(B, 3, h, w)`."""
        estimate = image + self.correct(features)
        return features + self.transform(features) * self.weigh(estimate).sigmoid(), estimate


class OriginalResolutionSubnetwork(nn.Module):
    """Original-resolution subnetwork (ORSNet): adds a level of the previous stage after each group.

    Args:
        widths: Channels of each level of the previous stage, finest first: one group for each.
        extra: Channels beyond `widths[0]`.
        blocks: Channel attention blocks per group.
        activation: The shared PReLU.
    """

    def __init__(
        self, widths: Sequence[int], extra: int, blocks: int, activation: nn.PReLU
    ) -> None:
        super().__init__()
        width = widths[0] + extra

        def enlarge(level: int) -> nn.Sequential:
            """Return the upsampling from a level to full resolution and to the stage's width."""
            steps = [resize(2.0, widths[k], widths[k - 1]) for k in range(level, 0, -1)]
            return nn.Sequential(*steps, convolution(widths[0], width, 1))

        self.groups = nn.ModuleList(
            blocks_of(width, blocks, activation).append(convolution(width, width, 3))
            for _ in widths
        )
        self.from_encoder = nn.ModuleList(enlarge(level) for level in range(len(widths)))
        self.from_decoder = nn.ModuleList(enlarge(level) for level in range(len(widths)))

    def forward(self, features: Tensor, previous: Features) -> Tensor:
        """Return features, `(B, C, H, W)` like `features`, with C = widths[0] + extra."""
        for level, group in enumerate(self.groups):
            features = (
                features
                + group(features)
                + self.from_encoder[level](previous.encoder[level])
                + self.from_decoder[level](previous.decoder[level])
            )
        return features


class MPRNet(Enhancer):
    """MPRNet: three stages on the photograph's quadrants, its halves, and the whole.

    Our implementation of the published description: all stages run at full resolution, two
    encoder-decoders on patches and an original-resolution subnetwork on the whole photograph.
    Patches are joined between encoder and decoder, so each decoder sees twice the patch of its
    encoder. The defaults are the deraining network, 3.64 M parameters and 141 GMACs at 256x256;
    deblurring is 96, 48, 32, 8 and denoising 80, 48, 32, 8.

    Args:
        width: Channels of the encoder-decoder stages at their finest level; 40 as in MPRNet.
        growth: Channels added per level; 20 as in MPRNet.
        extra: Channels of the last stage beyond `width`; 16 as in MPRNet.
        blocks: Channel attention blocks per group of the last stage; 8 as in MPRNet.

    Example:
        >>> import torch
        >>> output = MPRNet(width=8, growth=4, extra=4, blocks=1)(torch.rand(1, 3, 70, 45))
        >>> output.image.shape, len(output.stages), output.structure
        (torch.Size([1, 3, 70, 45]), 3, None)

    References:
        Zamir et al., "Multi-Stage Progressive Image Restoration", CVPR 2021, section 3.
    """

    def __init__(self, width: int = 40, growth: int = 20, extra: int = 16, blocks: int = 8) -> None:
        super().__init__()
        activation = nn.PReLU()  # one instance, with one parameter, for the whole network
        widths = [width + level * growth for level in range(LEVELS)]

        def shallow() -> nn.Sequential:
            return nn.Sequential(convolution(3, width, 3), ChannelAttentionBlock(width, activation))

        self.standardise = Standardise()
        self.shallow_first = shallow()
        self.encode_first = Encoder(widths, activation, fuses=False)
        self.decode_first = Decoder(widths, activation)
        self.supervise_first = SupervisedAttention(width)

        self.shallow_second = shallow()
        self.merge_second = convolution(2 * width, width, 3)
        self.encode_second = Encoder(widths, activation, fuses=True)
        self.decode_second = Decoder(widths, activation)
        self.supervise_second = SupervisedAttention(width)

        self.shallow_third = shallow()
        self.merge_third = convolution(2 * width, width + extra, 3)
        self.original = OriginalResolutionSubnetwork(widths, extra, blocks, activation)
        self.correct_third = convolution(width + extra, 3, 3)

    def forward(self, image: Tensor, mask: Tensor | None = None) -> EnhancerOutput:
        """Enhance a batch of photographs.

        Args:
            image: `(B, 3, H, W)` in [0, 1], any height and width; padded inside.
            mask: Not used.

        Returns:
            The estimates of the three stages, `(B, 3, H, W)`; no structure map.
        """
        height, width = image.shape[-2:]
        # Deviation: padded here; the published network takes only multiples of 8.
        image = padded_to(image, MULTIPLE)

        # Stage 1, and the encoder of stage 2: neither looks beyond the half that it works on.
        estimates, halves_encoded = [], []
        for half in image.chunk(2, dim=2):  # top, bottom: (B, 3, H/2, W)
            standard = self.standardise(half)
            quadrants = standard.chunk(2, dim=3)  # left, right: (B, 3, H/2, W/2)
            encoded = _join([self.encode_first(self.shallow_first(q)) for q in quadrants], dim=3)
            decoded = self.decode_first(encoded)  # (B, widths[l], H/2 / 2^l, W / 2^l)
            carried, estimate = self.supervise_first(decoded[0], half)
            estimates.append(estimate)  # (B, 3, H/2, W)
            features = torch.cat([self.shallow_second(standard), carried], dim=1)
            features = self.merge_second(features)  # (B, width, H/2, W)
            halves_encoded.append(self.encode_second(features, Features(encoded, decoded)))
        first = torch.cat(estimates, dim=2)  # (B, 3, H, W)

        # Stage 2, from its decoder on.
        encoded = _join(halves_encoded, dim=2)  # (B, widths[l], H / 2^l, W / 2^l)
        decoded = self.decode_second(encoded)
        carried, second = self.supervise_second(decoded[0], image)

        # Stage 3.
        features = torch.cat(
            [self.shallow_third(self.standardise(image)), carried], dim=1
        )  # (B, 2 width, H, W)
        features = self.merge_third(features)  # (B, width + extra, H, W)
        features = self.original(features, Features(encoded, decoded))
        third = image + self.correct_third(features)

        return EnhancerOutput(tuple(e[..., :height, :width] for e in (first, second, third)))


def _join(patches: Sequence[Sequence[Tensor]], dim: int) -> list[Tensor]:
    """Concatenate the features of two patches along `dim`, level by level."""
    return [torch.cat(level, dim=dim) for level in zip(*patches, strict=True)]
