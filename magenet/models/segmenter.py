"""A plain encoder-decoder that segments; the source of MAGE-Net's structure target."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from magenet.models.stages import LEVELS, EncoderDecoderStage


class VesselSegmenter(nn.Module):
    """Predict vessels by one encoder-decoder stage without attention.

    Args:
        width: Channels at the finest level.
        growth: Channels added per level.
        blocks: Residual blocks per level, each way.

    Example:
        >>> import torch
        >>> VesselSegmenter(width=8, growth=4, blocks=1)(torch.rand(2, 3, 50, 64)).shape
        torch.Size([2, 1, 50, 64])
    """

    def __init__(self, width: int = 24, growth: int = 12, blocks: int = 1) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.stage = EncoderDecoderStage(
            [width + level * growth for level in range(LEVELS)],
            [blocks] * LEVELS,
            channel_attention=False,
            spatial_attention=False,
        )
        self.head = nn.Conv2d(width, 1, 3, padding=1)
        nn.init.constant_(self.head.bias, -2.0)  # type: ignore[arg-type]  # a Conv2d has a bias by default

    def forward(self, image: Tensor) -> Tensor:
        """Return vessel logits, `(B, 1, H, W)`, for photographs `(B, 3, H, W)` in [0, 1]."""
        height, width = image.shape[-2:]
        multiple = 2 ** (LEVELS - 1)
        padded = functional.pad(image, (0, -width % multiple, 0, -height % multiple))
        decoded = self.stage.decode(self.stage.encode(self.stem(padded)))
        logits: Tensor = self.head(decoded[0])
        return logits[..., :height, :width]
