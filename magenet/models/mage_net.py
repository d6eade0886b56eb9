"""MAGE-Net: the multi-stage multi-attention guided enhancement network."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from magenet.models.attention import LightCorrection, SupervisedAttention
from magenet.models.enhancer import Enhancer, EnhancerOutput
from magenet.models.stages import (
    LEVELS,
    EncoderDecoderStage,
    OriginalResolutionStage,
    StageFeatures,
    resize_to,
)
from magenet.models.structure import StructurePreservation

MINIMUM_SIDE = 32
"""Smallest height and width that a photograph may have, in pixels."""


class MAGENet(Enhancer):
    """Enhance a fundus photograph in stages that guide each other by attention.

    Two encoder-decoder stages see the whole photograph, the first at 1/4 and the second at 1/2
    of its resolution; a last stage works at the original resolution. Each stage makes an
    estimate, which decides by supervised attention what the next stage receives. The retinal
    structure preservation module reads a vessel map from the encoder and guides what follows.

    The paper's abstract fixes the words (multi-stage, multi-attention, structure preservation,
    multi-scale, progressive); the construction follows MPRNet and is otherwise our choice.
    Deviation: MPRNet runs all stages at full resolution on patches of the photograph; halo and
    shading are fields over the whole photograph, and coarse-to-fine stages cost a quarter.

    Args:
        width: Channels of the encoder-decoder stages at their finest level.
        growth: Channels added per level.
        blocks: Multi-attention blocks per level, each way.
        original_width: Channels of the original-resolution stage.
        original_groups: Groups of the original-resolution stage.
        original_blocks: Multi-attention blocks per group.
        guide_width: Channels of the structure guides.
        channel_attention: Whether blocks weigh channels.
        spatial_attention: Whether blocks weigh places.
        supervised_attention: Whether a stage's estimate weighs the features it hands on.
        structure_preservation: Whether there is a structure preservation module.
        coarse_stage: Whether the stage at 1/4 of the resolution exists.
        fine_stage: Whether the stage at 1/2 of the resolution exists.
        original_resolution_stage: Whether the stage at full resolution exists.

    Raises:
        ValueError: If no stage is left, or the structure module has no encoder to read.

    Example:
        >>> import torch
        >>> network = MAGENet(width=8, growth=4, blocks=1, original_width=8)
        >>> output = network(torch.rand(1, 3, 70, 45))
        >>> output.image.shape, len(output.stages), output.structure.shape
        (torch.Size([1, 3, 70, 45]), 3, torch.Size([1, 1, 70, 45]))

    References:
        Guo et al., arXiv 2302.11795 (abstract). Zamir et al., MPRNet, CVPR 2021, section 3.
    """

    def __init__(
        self,
        width: int = 32,
        growth: int = 12,
        blocks: int = 2,
        original_width: int = 16,
        original_groups: int = 3,
        original_blocks: int = 1,
        guide_width: int = 16,
        *,
        channel_attention: bool = True,
        spatial_attention: bool = True,
        supervised_attention: bool = True,
        structure_preservation: bool = True,
        coarse_stage: bool = True,
        fine_stage: bool = True,
        original_resolution_stage: bool = True,
    ) -> None:
        super().__init__()
        strides = [4] * coarse_stage + [2] * fine_stage
        if not strides and not original_resolution_stage:
            raise ValueError("MAGENet needs at least one stage: all three are switched off.")
        if structure_preservation and not strides:
            raise ValueError(
                "structure_preservation reads an encoder: switch it off, or coarse_stage or "
                "fine_stage on."
            )
        self.strides = strides
        self.multiple = strides[0] * 2 ** (LEVELS - 1) if strides else 1
        widths = [width + level * growth for level in range(LEVELS)]
        attentions = {
            "channel_attention": channel_attention,
            "spatial_attention": spatial_attention,
        }

        self.stems = nn.ModuleList(
            nn.Conv2d(3 * stride**2, width, 3, padding=1) for stride in strides
        )
        self.carries = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in strides[1:])
        self.stages = nn.ModuleList()
        for index in range(len(strides)):
            guided = structure_preservation and index == len(strides) - 1
            self.stages.append(
                EncoderDecoderStage(
                    widths,
                    blocks,
                    previous_widths=widths if index else None,
                    guide_width=guide_width if guided else 0,
                    **attentions,
                )
            )
        self.structure = (
            StructurePreservation(widths, guide_width) if structure_preservation else None
        )
        self.supervise = nn.ModuleList(
            SupervisedAttention(
                width,
                stride,
                # The last estimate has no stage to hand its features to.
                attend=supervised_attention
                and (original_resolution_stage or index < len(strides) - 1),
            )
            for index, stride in enumerate(strides)
        )
        self.original: OriginalResolutionStage | None = None
        if original_resolution_stage:
            self.original = OriginalResolutionStage(
                original_width,
                original_groups,
                original_blocks,
                previous_widths=widths if strides else None,
                guide_width=guide_width if structure_preservation else 0,
                **attentions,
            )
            self.correct = LightCorrection(original_width, stride=1)

    def forward(self, image: Tensor) -> EnhancerOutput:
        """Enhance a batch of photographs.

        Args:
            image: `(B, 3, H, W)` in [0, 1], any height and width from 32 px on; padded inside.

        Returns:
            One estimate a stage, `(B, 3, H, W)`, and the structure map's logits, `(B, 1, H, W)`.

        Raises:
            ValueError: If the photograph is smaller than 32 px along an axis.
        """
        height, width = image.shape[-2:]
        if min(height, width) < MINIMUM_SIDE:
            raise ValueError(
                f"MAGENet needs photographs of at least {MINIMUM_SIDE}x{MINIMUM_SIDE} px, got "
                f"{width}x{height}."
            )
        padding = (0, -width % self.multiple, 0, -height % self.multiple)
        image = functional.pad(image, padding, mode="replicate") if any(padding) else image

        estimates: list[Tensor] = []
        logits: Tensor | None = None
        guides: list[Tensor] = []
        previous: StageFeatures | None = None
        carried: Tensor | None = None
        for index, stride in enumerate(self.strides):
            stage = self.stages[index]
            assert isinstance(stage, EncoderDecoderStage)
            # (B, 3 s s, H/s, W/s) -> (B, width, H/s, W/s)
            features = self.stems[index](functional.pixel_unshuffle(image, stride))
            if carried is not None:
                features = features + resize_to(self.carries[index - 1](carried), features)
            encoded = stage.encode(features, previous)  # 1/s, 1/2s, 1/4s
            if self.structure is not None and index == len(self.strides) - 1:
                logits, guides = self.structure(encoded)  # (B, 1, H/s, W/s)
            decoded = stage.decode(encoded, guides)  # 1/s, 1/2s, 1/4s
            carried, estimate = self.supervise[index](decoded[0], image)
            previous = StageFeatures(encoded, decoded)
            estimates.append(estimate)  # (B, 3, H, W)
        if self.original is not None:
            guide = guides[0] if guides else None
            features = self.original(image, carried, previous, guide)  # (B, original_width, H, W)
            estimates.append(self.correct(features, image))
        if logits is not None:
            logits = resize_to(logits, image)[..., :height, :width]
        return EnhancerOutput(tuple(e[..., :height, :width] for e in estimates), logits)
