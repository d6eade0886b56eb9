"""cofe-Net-like network: two scales that share weights, guided by vessel features."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from magenet.models.enhancer import Enhancer, EnhancerOutput, Standardise, padded_to


class WideBlock(nn.Module):
    """Residual block of two 5x5 convolutions.

    Args:
        width: Number of channels in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.refine = nn.Sequential(
            nn.Conv2d(width, width, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 5, padding=2),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return refined features, `(B, C, H, W)` like `features`."""
        refined: Tensor = self.refine(features)
        return features + refined


class StructureActivation(nn.Module):
    """Retinal structure activation (RSA): a vessel map, and its features as guides.

    Deviation: cofe-Net uses a CE-Net with a ResNet-34 pretrained on DRIVE; this one is small and
    trained from scratch. As there, it is trained together with the rest.

    Args:
        widths: Channels at 1/2, 1/4 and 1/8 of the resolution.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        pairs = list(pairwise((3, *widths)))
        self.down = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(fine, coarse, 3, stride=2, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(coarse, coarse, 3, padding=1),
                nn.ReLU(inplace=True),
            )
            for fine, coarse in pairs
        )
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairs[1:])
        self.refine = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for width in widths[:-1])
        self.head = nn.Conv2d(widths[0], 1, 3, padding=1)
        nn.init.constant_(self.head.bias, -2.0)  # type: ignore[arg-type]  # a Conv2d has a bias by default

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return logits `(B, 1, H / 2, W / 2)` and features at 1/2, 1/4 and 1/8."""
        encoded = []
        features = image
        for down in self.down:
            features = down(features)
            encoded.append(features)
        guides = [encoded.pop()]
        for up, refine in zip(reversed(self.up), reversed(self.refine), strict=True):
            coarse = functional.interpolate(up(guides[0]), scale_factor=2.0, mode="nearest")
            guides.insert(0, functional.relu(refine(encoded.pop() + coarse)))
        return self.head(guides[0]), guides


class ScaleEnhancer(nn.Module):
    """Enhancement network of one scale; both scales share its weights.

    Args:
        widths: Channels at 1, 1/2, 1/4 and 1/8 of the scale's resolution.
        guides: Channels of the vessel features at 1/2, 1/4 and 1/8.
        blocks: Residual blocks per level, in the encoder and in the decoder.
    """

    def __init__(self, widths: Sequence[int], guides: Sequence[int], blocks: int) -> None:
        super().__init__()

        def refine(width: int) -> nn.Sequential:
            return nn.Sequential(*(WideBlock(width) for _ in range(blocks)))

        pairs = list(pairwise(widths))
        self.standardise = Standardise()
        self.first = nn.Conv2d(6, widths[0], 5, padding=2)
        self.encoders = nn.ModuleList(refine(width) for width in widths)
        self.down = nn.ModuleList(
            nn.Conv2d(fine, coarse, 5, stride=2, padding=2) for fine, coarse in pairs
        )
        self.merge = nn.ModuleList(
            nn.Conv2d(width + guide, width, 1)
            for width, guide in zip(widths[1:], guides, strict=True)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 4, stride=2, padding=1) for fine, coarse in pairs
        )
        self.decoders = nn.ModuleList(refine(width) for width in widths[:-1])
        self.correct = nn.Conv2d(widths[0], 3, 5, padding=2)

    def forward(self, image: Tensor, earlier: Tensor, guides: Sequence[Tensor]) -> Tensor:
        """Return the estimate, `(B, 3, H, W)`.

        Args:
            image: `(B, 3, H, W)`.
            earlier: Estimate of the coarser scale, of the same shape.
            guides: Vessel features at 1/2, 1/4 and 1/8.
        """
        features = self.first(torch.cat([self.standardise(x) for x in (image, earlier)], dim=1))
        levels = []
        for level, encoder in enumerate(self.encoders):
            if level:
                features = self.down[level - 1](features)
                features = self.merge[level - 1](torch.cat([features, guides[level - 1]], dim=1))
            features = encoder(features)
            levels.append(features)
        features = levels.pop()
        for up, decoder in zip(reversed(self.up), reversed(self.decoders), strict=True):
            features = decoder(levels.pop() + up(features))
        # Deviation: cofe-Net ends in a sigmoid; this adds a residual, as all peers here do.
        estimate: Tensor = image + self.correct(features)
        return estimate


class CofeNet(Enhancer):
    """cofe-Net-like: enhancement at half resolution, then at full, guided by vessel features.

    Our implementation of the published description, much smaller, without the low-quality
    activation (as in the training code that the authors released) and without the weight of 10 on
    the optic disc, for which most photographs have no label.

    Args:
        widths: Channels at 1, 1/2, 1/4 and 1/8; 32, 64, 64, 128 in cofe-Net.
        guides: Channels of the vessel features; 64, 64, 128 in cofe-Net.
        blocks: Residual blocks per level, in the encoder and in the decoder; 3 in cofe-Net. The
            defaults (our choice) have 1.3 M parameters and 12 GMACs at 256x256.

    Example:
        >>> import torch
        >>> output = CofeNet((4, 4, 4, 8), (4, 4, 4), 1)(torch.rand(1, 3, 33, 20))
        >>> output.image.shape, output.stages[0].shape, output.structure.shape
        (torch.Size([1, 3, 33, 20]), torch.Size([1, 3, 17, 10]), torch.Size([1, 1, 33, 20]))

    References:
        Shen et al., "Modeling and enhancing low-quality retinal fundus images", IEEE TMI 2021.
    """

    def __init__(
        self,
        widths: Sequence[int] = (24, 40, 48, 96),
        guides: Sequence[int] = (24, 32, 64),
        blocks: int = 1,
    ) -> None:
        super().__init__()
        self.standardise = Standardise()
        self.structure = StructureActivation(guides)
        self.enhance = ScaleEnhancer(widths, guides, blocks)
        self.enlarge = nn.ConvTranspose2d(3, 3, 4, stride=2, padding=1)

    def forward(self, image: Tensor, mask: Tensor | None = None) -> EnhancerOutput:
        """Enhance a batch of photographs.

        Args:
            image: `(B, 3, H, W)` in [0, 1], any height and width; padded inside.
            mask: Not used.

        Returns:
            The estimates `(B, 3, H / 2, W / 2)`, rounded up, and `(B, 3, H, W)`, and the logits
            of the vessel map, `(B, 1, H, W)`.
        """
        height, width = image.shape[-2:]
        padded = padded_to(image, 16)
        half = functional.avg_pool2d(padded, 2)
        _, guides = self.structure(self.standardise(half))
        small = self.enhance(half, half, guides)
        logits, guides = self.structure(self.standardise(padded))
        full = self.enhance(padded, self.enlarge(small), guides)
        logits = functional.interpolate(logits, padded.shape[-2:], mode="bilinear")
        rounded = (-(-height // 2), -(-width // 2))
        return EnhancerOutput(
            (small[..., : rounded[0], : rounded[1]], full[..., :height, :width]),
            logits[..., :height, :width],
        )
