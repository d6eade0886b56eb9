"""Encoder-decoders for segmentation: MAGE-Net's structure target, and judges."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from magenet.models.enhancer import Standardise, padded_to
from magenet.models.pretrained import Pretrained
from magenet.models.stages import LEVELS, BlockConv2d, EncoderDecoderStage


class VesselSegmenter(
    nn.Module,
    Pretrained,
    library_name="magenet",
    license="apache-2.0",
    pipeline_tag="image-segmentation",
):
    """Vessel segmentation by one encoder-decoder stage without attention.

    Args:
        width: Channels at the finest level.
        growth: Channels added per level.
        blocks: Residual blocks per level, in the encoder and in the decoder.
        stride: Pixels of the photograph per pixel of the finest level, along one axis: at 2 the
            same width takes a quarter of the arithmetic and of the memory traffic.

    Example:
        >>> import torch
        >>> VesselSegmenter(width=8, growth=4, blocks=1)(torch.rand(2, 3, 50, 64)).shape
        torch.Size([2, 1, 50, 64])
    """

    def __init__(self, width: int = 24, growth: int = 12, blocks: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.stem = BlockConv2d(3, width, stride)
        self.stage = EncoderDecoderStage(
            [width + level * growth for level in range(LEVELS)],
            [blocks] * LEVELS,
            channel_attention=False,
            spatial_attention=False,
        )
        self.head = nn.Conv2d(width, stride**2, 3, padding=1)
        nn.init.constant_(self.head.bias, -2.0)  # type: ignore[arg-type]  # a Conv2d has a bias by default

    def forward(self, image: Tensor) -> Tensor:
        """Return vessel logits, `(B, 1, H, W)`, for photographs `(B, 3, H, W)` in [0, 1]."""
        height, width = image.shape[-2:]
        decoded = self.stage.decode(self.features(image))
        logits = functional.pixel_shuffle(self.head(decoded[0]), self.stride)
        return logits[..., :height, :width]

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the encoder's features of photographs, finest first, each `(B, C, h, w)`."""
        padded = padded_to(image, self.stride * 2 ** (LEVELS - 1))
        return self.stage.encode(self.stem(padded))


class DilatedSegmenter(nn.Module):
    """Vessel segmentation by dilated convolutions at half the resolution, without levels.

    Of another construction than the judges, so that what it teaches is not what they look for.

    Args:
        width: Channels.
        dilations: Dilation of each residual block.

    Example:
        >>> import torch
        >>> DilatedSegmenter(width=8, dilations=(1, 2))(torch.rand(2, 3, 51, 64)).shape
        torch.Size([2, 1, 51, 64])

    References:
        Yu and Koltun, "Multi-scale context aggregation by dilated convolutions", ICLR 2016.
    """

    def __init__(self, width: int = 32, dilations: Sequence[int] = (1, 2, 4, 8, 16, 1)) -> None:
        super().__init__()
        self.standardise = Standardise()
        self.stem = BlockConv2d(3, width, 2)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, width, 3, padding=1),
            )
            for dilation in dilations
        )
        self.head = nn.Conv2d(width, 4, 3, padding=1)
        nn.init.constant_(self.head.bias, -2.0)  # type: ignore[arg-type]  # a Conv2d has a bias by default

    def forward(self, image: Tensor) -> Tensor:
        """Return vessel logits, `(B, 1, H, W)`, for photographs `(B, 3, H, W)` in [0, 1]."""
        height, width = image.shape[-2:]
        seen = self.standardise(padded_to(image, 2))
        features = self.stem(seen)
        for block in self.blocks:
            features = features + block(features)
        logits = functional.pixel_shuffle(self.head(features), 2)
        return logits[..., :height, :width]


class DiscSegmenter(nn.Module):
    """Optic disc segmentation at 1/4 of the resolution and below: the disc is one large object.

    Args:
        widths: Channels at 1/4, 1/8, 1/16, ... of the resolution.

    Example:
        >>> import torch
        >>> DiscSegmenter(widths=(8, 8, 8))(torch.rand(2, 3, 50, 64)).shape
        torch.Size([2, 1, 50, 64])
    """

    def __init__(self, widths: Sequence[int] = (24, 32, 48, 64)) -> None:
        super().__init__()
        self.multiple = 4 * 2 ** (len(widths) - 1)
        self.stem = BlockConv2d(3, widths[0], 4)
        self.stage = EncoderDecoderStage(
            widths, [1] * len(widths), stride=4, channel_attention=True, spatial_attention=False
        )
        self.head = nn.Conv2d(widths[0], 1, 3, padding=1)
        nn.init.constant_(self.head.bias, -3.0)  # type: ignore[arg-type]  # a Conv2d has a bias by default

    def forward(self, image: Tensor) -> Tensor:
        """Return disc logits, `(B, 1, H, W)`, for photographs `(B, 3, H, W)` in [0, 1]."""
        height, width = image.shape[-2:]
        padded = padded_to(image, self.multiple)
        decoded = self.stage.decode(self.stage.encode(self.stem(padded)))
        logits = functional.interpolate(self.head(decoded[0]), padded.shape[-2:], mode="bilinear")
        return logits[..., :height, :width]
