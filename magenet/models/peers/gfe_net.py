"""GFE-Net-like network, guided by the high-frequency component; needs no vessel labels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from magenet.models.enhancer import Enhancer, EnhancerOutput, Standardise, padded_to
from magenet.models.low_pass import low_pass
from magenet.models.peers.unet import double_convolution

SIGMA = 0.012
"""Sigma of the low-pass filter, relative to the photograph's longer side."""


def high_frequencies(image: Tensor) -> Tensor:
    """Return the difference from a wide Gaussian blur, `(B, 3, H, W)`."""
    return image - low_pass(image, SIGMA * max(image.shape[-2:]))


class Decoder(nn.Module):
    """Decoder with skip connections.

    Args:
        widths: Channels of each level, finest first.
        guided: Whether another decoder's features of the same widths are inputs, too.
    """

    def __init__(self, widths: Sequence[int], *, guided: bool) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        sources = 3 if guided else 2
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in pairs
        )
        self.refine = nn.ModuleList(double_convolution(sources * fine, fine) for fine, _ in pairs)

    def forward(self, encoded: Sequence[Tensor], guides: Sequence[Tensor] = ()) -> list[Tensor]:
        """Return features of all levels but the coarsest, finest first."""
        features = encoded[-1]
        decoded: list[Tensor] = []
        for level in range(len(self.refine) - 1, -1, -1):
            parts = [encoded[level], self.up[level](features), *guides[level : level + 1]]
            features = self.refine[level](torch.cat(parts, dim=1))
            decoded.insert(0, features)
        return decoded


class GFENet(Enhancer):
    """GFE-Net-like: enhancement guided by a branch that restores the high frequencies.

    Our implementation of the published descriptions of GFE-Net and SCR-Net: the encoder reads the
    photograph and its high frequencies; one decoder predicts the clean photograph's high
    frequencies, and the other, which reads the first, the photograph. Deviation: the first decoder
    predicts the map of `HighFrequencyTarget`, one channel, by the structure loss of this framework.

    Args:
        widths: Channels of each level, finest first. The default (our choice) has 1.2 M
            parameters and 9.4 GMACs at 256x256.

    Example:
        >>> import torch
        >>> output = GFENet((4, 8))(torch.rand(1, 3, 33, 20))
        >>> output.image.shape, output.structure.shape
        (torch.Size([1, 3, 33, 20]), torch.Size([1, 1, 33, 20]))

    References:
        Li et al., "A generic fundus image enhancement network boosted by frequency
        self-supervised representation learning", Medical Image Analysis 2023. Li et al.,
        "Structure-consistent restoration network for cataract fundus image enhancement",
        MICCAI 2022.
    """

    def __init__(self, widths: Sequence[int] = (28, 48, 80, 144)) -> None:
        super().__init__()
        self.multiple = 2 ** (len(widths) - 1)
        self.standardise = Standardise()
        self.first = double_convolution(6, widths[0])
        self.encoders = nn.ModuleList(
            nn.Sequential(nn.MaxPool2d(2), double_convolution(fine, coarse))
            for fine, coarse in pairwise(widths)
        )
        self.decode_structure = Decoder(widths, guided=False)
        self.decode_image = Decoder(widths, guided=True)
        self.structure = nn.Conv2d(widths[0], 1, 1)
        self.correct = nn.Conv2d(widths[0], 3, 1)

    def forward(self, image: Tensor, mask: Tensor | None = None) -> EnhancerOutput:
        """Enhance a batch of photographs.

        Args:
            image: `(B, 3, H, W)` in [0, 1], any height and width; padded inside.
            mask: Not used.

        Returns:
            One estimate, `(B, 3, H, W)`, and the logits of the structure map, `(B, 1, H, W)`.
        """
        height, width = image.shape[-2:]
        padded = padded_to(image, self.multiple)
        standard = self.standardise(padded)
        levels = [self.first(torch.cat([standard, high_frequencies(standard)], dim=1))]
        for encoder in self.encoders:
            levels.append(encoder(levels[-1]))
        guides = self.decode_structure(levels)
        enhanced = padded + self.correct(self.decode_image(levels, guides)[0])
        logits = self.structure(guides[0])
        return EnhancerOutput((enhanced[..., :height, :width],), logits[..., :height, :width])
