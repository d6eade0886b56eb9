"""MAGE-Net: multi-stage multi-attention guided enhancement network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from magenet.models.attention import LightCorrection, SupervisedAttention, corrected
from magenet.models.detail import DetailStage
from magenet.models.enhancer import (
    Enhancer,
    EnhancerOutput,
    Standardise,
    cut_to,
    padded_to,
    resized_to,
)
from magenet.models.information import MAPS, information_maps
from magenet.models.pretrained import Pretrained
from magenet.models.scales import with_coarser
from magenet.models.stages import (
    LEVELS,
    BlockConv2d,
    EncoderDecoderStage,
    OriginalResolutionStage,
    Refinement,
    WholeImageOutput,
    enlarge,
)
from magenet.models.structure import StructurePreservation
from magenet.models.surround import surround_filled
from magenet.models.window import TILE, Window, is_one_tile, whole_window, windows

STRIDES: tuple[int, ...] = (2, 4, 8, 16)
"""Pixels of the photograph per pixel of the features, at the resolutions of the stages."""

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {
        "widths": (16, 16, 32, 32), "blocks": (1, 1, 1, 1), "original_width": 16,
        "original_groups": 1, "original_blocks": 1, "guide_width": 8,
    },
    "compact": {},
    "base": {
        "widths": (64, 96, 96, 128), "blocks": (1, 2, 2, 1), "original_width": 64,
        "guide_width": 32,
    },
}  # fmt: skip
"""Arguments that differ from the defaults, by name of the size. Parameters and GMACs at 256x256:
tiny 0.18 M, 0.6; compact 1.5 M, 5.3; base 4.1 M, 15.9."""

COMPACT_WIDTH = 32

BYTES_PER_PIXEL = 700
"""Memory of a forward pass of `compact` per pixel: measured 360 at 2048 px, doubled to be safe."""

TILE_BYTES_PER_PIXEL = 420
"""Memory of one tile of the detail stage, at widths of (32, 48, 64): measured 370 in fp32."""

OWN_SCALE_BYTES_PER_PIXEL = 145
"""Memory of a photograph at its own scale beside its tile, per pixel: measured 121 in fp32, and 12
for the photograph with its surround filled."""

MINIMUM_SIDE = 32
"""Smallest height and width of a photograph, in pixels."""


class MAGENet(
    Enhancer,
    Pretrained,
    library_name="magenet",
    license="apache-2.0",
    pipeline_tag="image-to-image",
    paper_url="https://arxiv.org/abs/2302.11795",
    tags=["fundus", "image-enhancement"],
):
    """MAGE-Net: multi-stage multi-attention guided enhancement network.

    Two encoder-decoder stages process the whole photograph, from 1/4 and from 1/2 of its resolution
    down; the last restores detail at full resolution. Each stage's estimate gates the features that
    it passes on. The retinal structure preservation module predicts a vessel map from the encoder
    and guides the later stages.

    The paper's abstract names the parts (multi-stage, multi-attention, structure preservation,
    multi-scale, progressive); the construction follows MPRNet and is otherwise our choice.
    Deviation: MPRNet runs all stages at full resolution on patches; halo and shading are fields
    over the whole photograph, and on current hardware reading and writing feature maps costs more
    than the convolutions, so most blocks are wide and at 1/4.

    Args:
        widths: Channels at 1/2, 1/4, 1/8, 1/16 of the resolution; multiples of 16 are fastest.
        blocks: Blocks at these resolutions in the encoder, and as many in the decoder; the last
            of them has attention.
        original_width: Channels of the last stage, which works on blocks of 2x2 pixels.
        original_groups: Groups of blocks of that stage.
        original_blocks: Blocks per group, the last of them with attention.
        guide_width: Channels of the structure guides.
        detail_widths: Channels of the detail stage at 1/2, 1/4, 1/8 of the photograph's own
            resolution. With it, the other stages see the photograph reduced to `context_size`, and
            it replaces the original-resolution stage. None for the network of release 0.1.
        detail_blocks: Its blocks at these resolutions.
        context_size: Greatest side at which the other stages see the photograph, in pixels.
        channel_attention: Whether the blocks with attention weight channels.
        spatial_attention: Whether the blocks with attention weight pixels.
        supervised_attention: Whether a stage's estimate gates the features passed on.
        cross_stage_fusion: Whether a stage gets the features of the one before at all resolutions.
        structure_preservation: Whether to include the structure preservation module.
        structure_guides: Whether what it finds guides the later stages.
        coarse_stage: Whether to include the stage from 1/4 of the resolution.
        fine_stage: Whether to include the stage from 1/2 of the resolution.
        original_resolution_stage: Whether to include the last stage.
        quality_map: Whether the stages that see the whole eye, and the detail stage, are told how
            far from clean the result is to be: a map that is 0 unless `quality` is given.
        checkpointing: Whether to recompute activations in the backward pass, to save memory.

    Raises:
        ValueError: If there are not four widths and four blocks, no stage is left, or the structure
            module has no encoder to read.

    Example:
        >>> import torch
        >>> network = MAGENet(widths=(8, 8, 8, 8), blocks=(1, 1, 1, 1), original_width=8)
        >>> output = network(torch.rand(1, 3, 70, 45))
        >>> output.image.shape, len(output.stages), output.structure.shape
        (torch.Size([1, 3, 70, 45]), 3, torch.Size([1, 1, 70, 45]))

    References:
        Guo et al., arXiv 2302.11795 (abstract). Zamir et al., MPRNet, CVPR 2021, section 3.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 64, 96),
        blocks: Sequence[int] = (1, 2, 1, 1),
        original_width: int = 32,
        original_groups: int = 2,
        original_blocks: int = 2,
        guide_width: int = 16,
        detail_widths: Sequence[int] | None = None,
        detail_blocks: Sequence[int] = (1, 1, 1),
        context_size: int = 512,
        *,
        channel_attention: bool = True,
        spatial_attention: bool = True,
        supervised_attention: bool = True,
        cross_stage_fusion: bool = True,
        structure_preservation: bool = True,
        structure_guides: bool = True,
        coarse_stage: bool = True,
        fine_stage: bool = True,
        original_resolution_stage: bool = True,
        quality_map: bool = False,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if not len(widths) == len(blocks) == len(STRIDES):
            raise ValueError(f"MAGENet needs {len(STRIDES)} widths and blocks: {widths}, {blocks}.")
        strides = [4] * coarse_stage + [2] * fine_stage
        if detail_widths is not None and (original_resolution_stage or not fine_stage):
            raise ValueError(
                "the detail stage needs the fine stage, and replaces original_resolution_stage: "
                "switch that off"
            )
        if not strides and not original_resolution_stage:
            raise ValueError("MAGENet needs at least one stage: all three are switched off.")
        if structure_preservation and not strides:
            raise ValueError(
                "structure_preservation reads an encoder: switch it off, or coarse_stage or "
                "fine_stage on."
            )
        self.strides = strides
        self.multiple = strides[0] * 2 ** (LEVELS - 1) if strides else 2
        guided = guide_width if structure_preservation and structure_guides else 0
        attentions = {
            "channel_attention": channel_attention,
            "spatial_attention": spatial_attention,
        }
        self.quality_map = quality_map
        self.maps = (0 if detail_widths is None else MAPS) + quality_map
        self.context_size = context_size
        self.standardise = Standardise()
        self.stems, self.carries, self.stages = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        self.attend, self.correct = nn.ModuleList(), nn.ModuleList()
        self.structure: StructurePreservation | None = None
        self.structure_guides = structure_guides
        width = 0  # channels of the previous stage's finest level
        previous_strides: tuple[int, ...] = ()
        for stride in strides:
            levels = slice(STRIDES.index(stride), STRIDES.index(stride) + LEVELS)
            of_last_stage = stride == strides[-1]
            if width:
                self.carries.append(nn.Conv2d(width, widths[levels][0], 1))
            self.stages.append(
                EncoderDecoderStage(
                    widths[levels],
                    blocks[levels],
                    stride=stride,
                    fuses=previous_strides,
                    guide_width=guided if of_last_stage else 0,
                    **attentions,
                )
            )
            if structure_preservation and of_last_stage:
                self.structure = StructurePreservation(widths[levels], guide_width)
            width = widths[levels][0]
            previous_strides = STRIDES[levels] if cross_stage_fusion else ()
            self.stems.append(BlockConv2d(3 + self.maps, width, stride))
            final = of_last_stage and not original_resolution_stage and detail_widths is None
            if supervised_attention and not final:  # no stage follows the last
                self.attend.append(SupervisedAttention(width))
            self.correct.append(LightCorrection(width, scale=stride if final else 1))
        self.finest_width = width or original_width
        self.original: OriginalResolutionStage | None = None
        if original_resolution_stage:
            self.original = OriginalResolutionStage(
                original_width,
                original_groups,
                original_blocks,
                previous_width=width,
                fuses=2 in previous_strides,
                guide_width=guided,
                **attentions,
            )
            self.correct.append(LightCorrection(original_width, scale=2))
        self.detail: DetailStage | None = None
        self.own_scale = detail_widths is not None
        if detail_widths is not None:
            known = width + guided
            self.detail = DetailStage(detail_widths, detail_blocks, known, self.maps)
        for module in self.modules():
            if isinstance(module, Refinement):
                module.checkpointing = checkpointing

    @classmethod
    def from_name(cls, name: Literal["tiny", "compact", "base"] = "compact") -> MAGENet:
        """Return a network of a named size, untrained.

        Args:
            name: `tiny` for tests and the demo, `compact` for two CPU cores, `base` for a GPU.

        Example:
            >>> MAGENet.from_name("tiny").stems[-1].out_channels
            16
        """
        return cls(**SIZES[name])

    def forward_memory(self, pixels: int) -> int:
        """Return the bytes that a forward pass over so many pixels takes at most.

        Args:
            pixels: Of the whole batch.
        """
        wide = self.finest_width / COMPACT_WIDTH
        if self.detail is None:
            return int(BYTES_PER_PIXEL * wide) * pixels
        wide = max(wide, self.detail.carry.out_channels / COMPACT_WIDTH)
        tile = int(TILE_BYTES_PER_PIXEL * wide) * min(pixels, TILE**2)
        return tile + OWN_SCALE_BYTES_PER_PIXEL * pixels

    def forward(
        self,
        image: Tensor,
        mask: Tensor | None = None,
        window: Window | None = None,
        quality: Tensor | None = None,
    ) -> EnhancerOutput:
        """Enhance a batch of photographs.

        Args:
            image: `(B, 3, H, W)` in [0, 1], any height and width from 32 px on; padded inside.
            mask: Not used.
            window: Part of each photograph that the detail stage restores, at its own scale alone;
                the whole photograph if None, at all scales, see :func:`with_coarser`.
            quality: How far from clean each result is to be, `(B,)`, 0 or more, for a network with
                a `quality_map`; 0 if None (Xiao et al., "QualiTeacher", arXiv 2603.08030).

        Returns:
            One estimate a stage, `(B, 3, H / s, W / s)` rounded up, s = 4, 2, 1, and the structure
            map's logits, `(B, 1, H, W)`. With a detail stage the first two are estimates of the
            photograph reduced to `context_size`, at 1/4 and 1/2 of which they are, as the logits
            are at 1/2, and the last is that of the window, its light held back in evaluation mode
            (see :func:`magenet.models.light.light_weight`).

        Raises:
            ValueError: If the photograph is smaller than 32 px along an axis, or there is a window
                but no detail stage.
        """
        height, width = image.shape[-2:]
        if min(height, width) < MINIMUM_SIDE:
            raise ValueError(
                f"MAGENet needs photographs of at least {MINIMUM_SIDE}x{MINIMUM_SIDE} px, got "
                f"{width}x{height}."
            )
        if self.detail is not None:
            return self._restore(self.detail, image, window, quality)
        if window is not None:
            raise ValueError("a window needs a network with a detail stage")
        image = padded_to(image, self.multiple)
        whole = self._whole_image_stages(image, self._maps(image, quality))
        if self.original is not None:
            guide = whole.guides[0] if whole.guides else None
            features = self.original(  # (B, C, H/2, W/2)
                self.standardise(image), whole.carried, whole.features, guide
            )
            whole.estimates.append(self.correct[-1](features, image))  # (B, 3, H, W)
        logits = whole.logits
        if logits is not None:
            logits = functional.interpolate(logits, image.shape[-2:], mode="bilinear")
            logits = logits[..., :height, :width]
        return EnhancerOutput(
            tuple(cut_to(estimate, image, height, width) for estimate in whole.estimates), logits
        )

    def _maps(self, image: Tensor, quality: Tensor | None) -> Tensor:
        """Return what the stages see beside the colours, `(B, maps, H, W)`."""
        parts = [information_maps(image)] if self.own_scale else [image[:, :0]]
        if self.quality_map:
            wanted = image.new_zeros(len(image)) if quality is None else quality.to(image)
            parts.append(wanted.view(-1, 1, 1, 1).expand(-1, 1, *image.shape[-2:]))
        return torch.cat(parts, dim=1)

    def _whole_image_stages(self, image: Tensor, maps: Tensor) -> WholeImageOutput:
        """Run the encoder-decoder stages.

        Args:
            image: `(B, 3, H, W)` in [0, 1], sides multiples of :attr:`multiple`.
            maps: See :meth:`_maps`.
        """
        whole, seen = WholeImageOutput([]), self.standardise(image)
        if self.maps:
            seen = torch.cat([seen, maps], dim=1)
        for index, stride in enumerate(self.strides):
            stage, correct = self.stages[index], self.correct[index]
            assert isinstance(stage, EncoderDecoderStage)
            assert isinstance(correct, LightCorrection)
            features = self.stems[index](seen)  # (B, C, H/s, W/s)
            if whole.carried is not None:
                features = features + enlarge(self.carries[index - 1](whole.carried))
            encoded = stage.encode(features, whole.features)  # 1/s, 1/2s, 1/4s
            if self.structure is not None and index == len(self.strides) - 1:
                whole.logits, guides = self.structure(encoded)  # (B, 1, H/s, W/s)
                whole.guides = guides if self.structure_guides else []
            decoded = stage.decode(encoded, whole.guides)  # 1/s, 1/2s, 1/4s
            whole.light = correct.correction(decoded[0])
            shrink = stride // correct.scale  # 1 for the last estimate, which is the result
            shown = functional.avg_pool2d(image, shrink) if shrink > 1 else image
            whole.estimates.append(corrected(shown, whole.light))  # (B, 3, H/s, W/s)
            whole.carried = decoded[0]
            if index < len(self.attend):
                whole.carried = self.attend[index](whole.carried, whole.estimates[-1])
            pairs = zip(encoded, decoded, strict=True)
            whole.features = dict(zip(stage.strides, pairs, strict=True))
        return whole

    def _restore(
        self, detail: DetailStage, image: Tensor, window: Window | None, quality: Tensor | None
    ) -> EnhancerOutput:
        """Enhance photographs, or a window of each, at their own scale."""
        image = image.float()
        frame = (image.shape[-2], image.shape[-1])
        maps = self._maps(image, quality)
        size = [self._context_side(side, max(frame)) for side in frame]
        whole = self._whole_image_stages(resized_to(image, size), resized_to(maps, size))
        assert whole.carried is not None
        assert whole.light is not None
        known = torch.cat([whole.carried, *whole.guides[:1]], dim=1)
        filled = surround_filled(image)
        context = detail.context(known, whole.light, image, filled)
        seen = torch.cat([self.standardise(image), maps], dim=1)
        if window is not None:
            last = detail(image, filled, seen, context, window)
        elif torch.is_grad_enabled() or is_one_tile(*frame):
            padded = whole_window(frame, len(image), detail.multiple)
            last = detail(image, filled, seen, context, padded)[..., : frame[0], : frame[1]]
        else:
            last = torch.empty_like(image)
            for tile, valid in windows(*frame, len(image), detail.multiple):
                tile.put(detail(image, filled, seen, context, tile), last, valid)
        if window is None:
            last = with_coarser(last, image, lambda s: self._restore(detail, s, None, quality))
        return EnhancerOutput(
            (*whole.estimates, last), whole.logits, context.log_error, context.light_weight,
            context.log_gain,
        )  # fmt: skip

    def _context_side(self, side: int, longest: int) -> int:
        """Return the side at which the whole photograph is seen: a multiple, not too large."""
        reduced = side * min(1.0, self.context_size / longest)
        return max(1, math.ceil(reduced / self.multiple - 1e-6)) * self.multiple
