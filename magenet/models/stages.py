"""The stages of MAGE-Net: encoder-decoder, original resolution, and the fusion between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from magenet.models.attention import MultiAttentionBlock

LEVELS = 3
"""Resolutions in an encoder-decoder stage (MPRNet)."""


def resize_to(features: Tensor, like: Tensor) -> Tensor:
    """Return `features` `(B, C, h, w)` resized bilinearly to the height and width of `like`."""
    if features.shape[-2:] == like.shape[-2:]:
        return features
    return functional.interpolate(
        features, size=like.shape[-2:], mode="bilinear", align_corners=False
    )


class StageFeatures:
    """Hold the features of an encoder-decoder stage, finest level first.

    Args:
        encoder: One `(B, C_l, h_l, w_l)` tensor a level.
        decoder: The same shapes, from the way back up.
    """

    def __init__(self, encoder: Sequence[Tensor], decoder: Sequence[Tensor]) -> None:
        self.encoder = encoder
        self.decoder = decoder


class CrossStageFusion(nn.Module):
    """Carry a stage's features of one level over to the next stage.

    Args:
        width_from: Channels of the earlier stage at this level.
        width_to: Channels wanted.

    References:
        Zamir et al., MPRNet, CVPR 2021, section 3.4, cross-stage feature fusion.
    """

    def __init__(self, width_from: int, width_to: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2 * width_from, width_to, 1)

    def forward(self, encoder: Tensor, decoder: Tensor) -> Tensor:
        """Return `(B, width_to, h, w)` from the encoder's and decoder's `(B, width_from, h, w)`."""
        mixed: Tensor = self.mix(torch.cat([encoder, decoder], dim=1))
        return mixed


class EncoderDecoderStage(nn.Module):
    """Look at the photograph at three resolutions and come back, with a skip at each.

    `encode` and `decode` are separate so that structure can be read from the encoder and guide
    the decoder.

    Args:
        widths: Channels of each level, finest first.
        blocks: Multi-attention blocks per level, each way.
        previous_widths: Channels of the previous stage's levels, or None for the first stage.
        guide_width: Channels of the structure guides of the two finest levels; 0 for none.
        channel_attention: See :class:`MultiAttentionBlock`.
        spatial_attention: See :class:`MultiAttentionBlock`.
    """

    def __init__(
        self,
        widths: Sequence[int],
        blocks: int,
        *,
        previous_widths: Sequence[int] | None = None,
        guide_width: int = 0,
        channel_attention: bool = True,
        spatial_attention: bool = True,
    ) -> None:
        super().__init__()

        def refine(width: int) -> nn.Sequential:
            return nn.Sequential(
                *(
                    MultiAttentionBlock(
                        width,
                        channel_attention=channel_attention,
                        spatial_attention=spatial_attention,
                    )
                    for _ in range(blocks)
                )
            )

        pairs = list(pairwise(widths))
        self.encoders = nn.ModuleList(refine(width) for width in widths)
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairs)
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairs)
        self.decoders = nn.ModuleList(refine(width) for width in widths)
        self.fuse = nn.ModuleList()
        if previous_widths is not None:
            self.fuse.extend(
                CrossStageFusion(before, width)
                for before, width in zip(previous_widths, widths, strict=True)
            )
        self.guide = nn.ModuleList()
        if guide_width:
            self.guide.extend(nn.Conv2d(guide_width + width, width, 1) for width in widths[:2])

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
            if previous is not None:
                carried = self.fuse[level](previous.encoder[level], previous.decoder[level])
                features = features + resize_to(carried, features)
            features = encoder(features)
            levels.append(features)
        return levels

    def decode(self, encoded: Sequence[Tensor], guides: Sequence[Tensor] = ()) -> list[Tensor]:
        """Return the decoder's features, finest level first.

        Args:
            encoded: What :meth:`encode` returned.
            guides: Structure features for the two finest levels, or nothing.
        """
        features = self.decoders[-1](encoded[-1])
        levels = [features]
        for level in range(len(encoded) - 2, -1, -1):
            features = encoded[level] + resize_to(self.up[level](features), encoded[level])
            if guides:
                features = self.guide[level](torch.cat([features, guides[level]], dim=1))
            features = self.decoders[level](features)
            levels.insert(0, features)
        return levels


class OriginalResolutionStage(nn.Module):
    """Restore detail at every pixel, with the earlier stages' features as context.

    Args:
        width: Channels at full resolution.
        groups: Residual groups of blocks, 3 in MPRNet.
        blocks: Multi-attention blocks per group.
        previous_widths: Channels of the previous stage's levels, or None where there is none.
        guide_width: Channels of the structure guide; 0 for none.
        channel_attention: See :class:`MultiAttentionBlock`.
        spatial_attention: See :class:`MultiAttentionBlock`.

    References:
        Zamir et al., MPRNet, CVPR 2021, section 3.2, original resolution subnetwork. Deviation:
        the levels are fused at the coarser resolution and enlarged once, not once a group.
    """

    def __init__(
        self,
        width: int,
        groups: int,
        blocks: int,
        *,
        previous_widths: Sequence[int] | None = None,
        guide_width: int = 0,
        channel_attention: bool = True,
        spatial_attention: bool = True,
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.fuse = nn.ModuleList()
        if previous_widths is not None:
            self.carry = nn.Conv2d(previous_widths[0], width, 1)
            self.fuse.extend(CrossStageFusion(before, width) for before in previous_widths)
        self.guide = nn.Conv2d(guide_width, width, 1) if guide_width else None
        self.groups = nn.ModuleList(
            nn.Sequential(
                *(
                    MultiAttentionBlock(
                        width,
                        channel_attention=channel_attention,
                        spatial_attention=spatial_attention,
                    )
                    for _ in range(blocks)
                ),
                nn.Conv2d(width, width, 3, padding=1),
            )
            for _ in range(groups)
        )

    def forward(
        self,
        image: Tensor,
        carried: Tensor | None = None,
        previous: StageFeatures | None = None,
        guide: Tensor | None = None,
    ) -> Tensor:
        """Return full-resolution features.

        Args:
            image: Photographs, `(B, 3, H, W)`.
            carried: What the previous stage's supervised attention let through, `(B, C, h, w)`.
            previous: The previous stage's features.
            guide: The finest structure guide, `(B, G, h, w)`.

        Returns:
            Features, `(B, width, H, W)`.
        """
        features: Tensor = self.stem(image)
        if previous is not None and carried is not None:
            context = self.carry(carried)
            for fuse, encoder, decoder in zip(
                self.fuse, previous.encoder, previous.decoder, strict=True
            ):
                context = context + resize_to(fuse(encoder, decoder), context)
            if self.guide is not None and guide is not None:
                context = context + self.guide(guide)
            features = features + resize_to(context, features)
        for group in self.groups:
            features = features + group(features)
        return features
