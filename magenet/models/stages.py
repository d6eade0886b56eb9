"""Stages of MAGE-Net: encoder-decoder, original resolution, and the fusion between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from magenet.models.attention import MultiAttentionBlock, ResidualBlock

LEVELS = 3
"""Number of resolutions in an encoder-decoder stage (MPRNet)."""


def enlarge(features: Tensor) -> Tensor:
    """Upsample features, `(B, C, h, w)`, by 2.

    Nearest neighbour: the convolutions that follow smooth it, at a third of the cost of bilinear.
    """
    return functional.interpolate(features, scale_factor=2.0, mode="nearest")


class BlockConv2d(nn.Conv2d):
    """3x3 convolution of blocks of pixels: each becomes the channels of one feature pixel.

    It is pixel unshuffle and a convolution in one: a convolution of the pixels that strides over
    blocks. No rearranged copy is written, which takes half of the time.

    Args:
        channels: Of the image.
        width: Of the features.
        block: Side of a block, in pixels.

    References:
        Shi et al., "Real-time single image and video super-resolution", CVPR 2016, section 2.2.
    """

    def __init__(self, channels: int, width: int, block: int) -> None:
        super().__init__(channels * block**2, width, 3, padding=1)
        self.block = block

    def forward(self, image: Tensor) -> Tensor:
        """Return features `(B, width, H / block, W / block)` of `(B, channels, H, W)`."""
        block = self.block
        # (width, channels, row and column in a block, row and column of blocks)
        weight = self.weight.view(len(self.weight), -1, block, block, 3, 3)
        weight = weight.permute(0, 1, 4, 2, 5, 3).flatten(4, 5).flatten(2, 3)
        if self.weight.is_contiguous(memory_format=torch.channels_last):  # and so the features
            weight = weight.contiguous(memory_format=torch.channels_last)
        return functional.conv2d(image, weight, self.bias, stride=block, padding=block)


class Refinement(nn.Sequential):
    """Sequence of residual blocks, the last one with attention.

    Args:
        width: Number of channels in and out.
        blocks: Number of blocks, 1 or more.
        channel_attention: Whether attention blocks weigh channels.
        spatial_attention: Whether attention blocks weigh positions.
    """

    def __init__(
        self, width: int, blocks: int, *, channel_attention: bool, spatial_attention: bool
    ) -> None:
        last = MultiAttentionBlock(
            width, channel_attention=channel_attention, spatial_attention=spatial_attention
        )
        super().__init__(*(ResidualBlock(width) for _ in range(blocks - 1)), last)
        self.checkpointing = False

    def forward(self, features: Tensor) -> Tensor:
        """Return refined features, `(B, C, H, W)` like `features`."""
        refined: Tensor
        if self.checkpointing and torch.is_grad_enabled():
            refined = checkpoint(super().forward, features, use_reentrant=False)
        else:
            refined = super().forward(features)  # type: ignore[no-untyped-call]
        return refined


StageFeatures = dict[int, tuple[Tensor, Tensor]]
"""Features of an encoder-decoder stage by stride s: the encoder's and the decoder's, each
`(B, C_s, H / s, W / s)`. The stride is in pixels of the photograph per pixel of the features."""


@dataclass
class WholeImageOutput:
    """What the stages that see the whole photograph return.

    Attributes:
        estimates: Of each stage.
        guides: Structure guides, finest first; empty without the structure module.
        logits: Logits of the structure map at the resolution of the last of these stages, or None.
        carried: Features for the next stage, `(B, C, h, w)`.
        features: Encoder's and decoder's features of the last of these stages.
        light: Gains minus 1 and offsets of the last estimate, `(B, 6, h, w)`.
    """

    estimates: list[Tensor]
    guides: list[Tensor] = field(default_factory=list)
    logits: Tensor | None = None
    carried: Tensor | None = None
    features: StageFeatures | None = None
    light: Tensor | None = None


class CrossStageFusion(nn.Module):
    """Cross-stage feature fusion (CSFF): a stage's features for the next, at one resolution.

    Args:
        width: Channels of the earlier stage at this resolution.
        width_to: Channels of the later stage.

    References:
        Zamir et al., MPRNet, CVPR 2021, section 3.4, cross-stage feature fusion.
    """

    def __init__(self, width: int, width_to: int) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(width, width_to, 1)
        self.decoder = nn.Conv2d(width, width_to, 1)

    def forward(self, encoder: Tensor, decoder: Tensor) -> Tensor:
        """Return `(B, width_to, h, w)` from the encoder's and decoder's `(B, width, h, w)`."""
        mixed: Tensor = self.encoder(encoder) + self.decoder(decoder)
        return mixed


class EncoderDecoderStage(nn.Module):
    """Encoder-decoder with a skip connection at each level.

    `encode` and `decode` are separate so that the structure module can read the encoder and guide
    the decoder.

    Args:
        widths: Channels of each level, finest first.
        blocks: Blocks of each level, in the encoder and in the decoder, finest first.
        stride: Pixels of the photograph per pixel of the finest level, along one axis.
        fuses: Strides at which the previous stage has features of this stage's width.
        guide_width: Channels of the structure guides of the two finest levels; 0 for none.
        channel_attention: Whether attention blocks weigh channels.
        spatial_attention: Whether attention blocks weigh positions.
    """

    def __init__(
        self,
        widths: Sequence[int],
        blocks: Sequence[int],
        *,
        stride: int = 1,
        fuses: Sequence[int] = (),
        guide_width: int = 0,
        channel_attention: bool = True,
        spatial_attention: bool = True,
    ) -> None:
        super().__init__()

        def refine() -> nn.ModuleList:
            return nn.ModuleList(
                Refinement(
                    width, count,
                    channel_attention=channel_attention, spatial_attention=spatial_attention,
                )
                for width, count in zip(widths, blocks, strict=True)
            )  # fmt: skip

        pairs = list(pairwise(widths))
        self.strides = [stride * 2**level for level in range(len(widths))]
        self.encoders, self.decoders = refine(), refine()
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairs)
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairs)
        self.fuse = nn.ModuleDict(
            {
                str(s): CrossStageFusion(width, width)
                for s, width in zip(self.strides, widths, strict=True)
                if s in fuses
            }
        )
        guided = widths[:2] if guide_width else []
        self.guide = nn.ModuleList(nn.Conv2d(guide_width, width, 1) for width in guided)

    def encode(self, features: Tensor, previous: StageFeatures | None = None) -> list[Tensor]:
        """Return the encoder's features, finest level first.

        Args:
            features: `(B, widths[0], h, w)`.
            previous: The previous stage's features, where the stage was built for them.
        """
        levels = []
        for level, encoder in enumerate(self.encoders):
            if level:
                features = self.down[level - 1](features)
            stride = self.strides[level]
            if previous is not None and str(stride) in self.fuse:
                features = features + self.fuse[str(stride)](*previous[stride])
            features = encoder(features)
            levels.append(features)
        return levels

    def decode(self, encoded: Sequence[Tensor], guides: Sequence[Tensor] = ()) -> list[Tensor]:
        """Return the decoder's features, finest level first.

        Args:
            encoded: Features returned by :meth:`encode`.
            guides: Structure guides for the two finest levels, or empty.
        """
        features = self.decoders[-1](encoded[-1])
        levels = [features]
        for level in range(len(encoded) - 2, -1, -1):
            features = encoded[level] + enlarge(self.up[level](features))
            if guides:
                features = features + self.guide[level](guides[level])
            features = self.decoders[level](features)
            levels.insert(0, features)
        return levels


class OriginalResolutionStage(nn.Module):
    """Original-resolution stage: restores detail, with the earlier stages' features as context.

    Each 2x2 block of pixels becomes the channels of one feature pixel (pixel unshuffle), so nothing
    is averaged; the output head has a gain and an offset for each of the four. Deviation: MPRNet's
    stage works on single pixels; on 2x2 blocks the same arithmetic moves a quarter of the memory,
    which dominates the cost.

    Args:
        width: Channels.
        groups: Groups of blocks, each ending in attention; 3 in MPRNet.
        blocks: Blocks per group.
        previous_width: Channels of the previous stage at its finest level; 0 if there is none.
        fuses: Whether that level has this stage's resolution, so that its features are fused.
        guide_width: Channels of the structure guide; 0 for none.
        channel_attention: Whether attention blocks weigh channels.
        spatial_attention: Whether attention blocks weigh positions.

    References:
        Zamir et al., MPRNet, CVPR 2021, section 3.2, original resolution subnetwork. Shi et al.,
        "Real-time single image and video super-resolution", CVPR 2016, for the rearrangement.
    """

    def __init__(
        self,
        width: int,
        groups: int,
        blocks: int,
        *,
        previous_width: int = 0,
        fuses: bool = False,
        guide_width: int = 0,
        channel_attention: bool = True,
        spatial_attention: bool = True,
    ) -> None:
        super().__init__()
        self.stem = BlockConv2d(3, width, 2)
        self.carry = nn.Conv2d(previous_width, width, 1) if previous_width else None
        self.fuse = CrossStageFusion(previous_width, width) if fuses else None
        self.guide = nn.Conv2d(guide_width, width, 1) if guide_width else None
        self.groups = nn.Sequential(
            *(
                Refinement(
                    width, blocks,
                    channel_attention=channel_attention, spatial_attention=spatial_attention,
                )
                for _ in range(groups)
            )
        )  # fmt: skip

    def forward(
        self,
        image: Tensor,
        carried: Tensor | None = None,
        previous: StageFeatures | None = None,
        guide: Tensor | None = None,
    ) -> Tensor:
        """Return features at half the height and width.

        Args:
            image: Standardised photographs, `(B, 3, H, W)`, H and W even.
            carried: Output of the previous stage's supervised attention, `(B, C, h, w)`.
            previous: The previous stage's features.
            guide: The finest structure guide, `(B, G, h, w)`.

        Returns:
            Features, `(B, width, H / 2, W / 2)`.
        """
        features: Tensor = self.stem(image)
        context = []
        if self.carry is not None and carried is not None:
            context.append(self.carry(carried))
        if self.guide is not None and guide is not None:
            context.append(self.guide(guide))
        for part in context:
            features = features + (part if part.shape == features.shape else enlarge(part))
        if self.fuse is not None and previous is not None:
            features = features + self.fuse(*previous[2])
        refined: Tensor = self.groups(features)
        return refined
