"""U-Net: the plain encoder-decoder, as a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from magenet.models.enhancer import Enhancer, EnhancerOutput, Standardise, padded_to


def double_convolution(width_in: int, width_out: int) -> nn.Sequential:
    """Return two 3x3 convolutions, each with a ReLU, that keep the size."""
    return nn.Sequential(
        nn.Conv2d(width_in, width_out, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(width_out, width_out, 3, padding=1),
        nn.ReLU(inplace=True),
    )


class UNet(Enhancer):
    """U-Net: one encoder-decoder with skip connections.

    Deviation: padded convolutions instead of cropped borders, and the last layer predicts a
    residual to be added to the photograph instead of classes.

    Args:
        widths: Channels of each level, finest first; 64 to 1024 in U-Net. The default (our
            choice) has 1.5 M parameters and 7.7 GMACs at 256x256.

    Example:
        >>> import torch
        >>> UNet(widths=(4, 8))(torch.rand(1, 3, 33, 20)).image.shape
        torch.Size([1, 3, 33, 20])

    References:
        Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation",
        MICCAI 2015, figure 1.
    """

    def __init__(self, widths: Sequence[int] = (32, 56, 112, 224)) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.multiple = 2 ** len(pairs)
        self.standardise = Standardise()
        self.first = double_convolution(3, widths[0])
        self.encoders = nn.ModuleList(double_convolution(fine, coarse) for fine, coarse in pairs)
        self.shrink = nn.MaxPool2d(2)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in pairs
        )
        self.decoders = nn.ModuleList(double_convolution(2 * fine, fine) for fine, _ in pairs)
        self.correct = nn.Conv2d(widths[0], 3, 1)

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
        levels = [self.first(self.standardise(padded))]  # (B, widths[l], H / 2^l, W / 2^l)
        for encoder in self.encoders:
            levels.append(encoder(self.shrink(levels[-1])))
        features = levels.pop()
        for up, decoder in zip(reversed(self.up), reversed(self.decoders), strict=True):
            features = decoder(torch.cat([levels.pop(), up(features)], dim=1))
        return EnhancerOutput(((padded + self.correct(features))[..., :height, :width],))
