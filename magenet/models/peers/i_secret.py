"""I-SECRET-like network: the residual generator of unpaired translation, trained on pairs."""

from __future__ import annotations

from torch import Tensor, nn

from magenet.models.enhancer import Enhancer, EnhancerOutput, Standardise, padded_to


def normalised(convolution: nn.Module, width: int) -> nn.Sequential:
    """Return a convolution with instance normalisation and a ReLU."""
    return nn.Sequential(convolution, nn.InstanceNorm2d(width, affine=True), nn.ReLU(inplace=True))


class NormalisedBlock(nn.Module):
    """Residual block of two convolutions with instance normalisation.

    Args:
        width: Number of channels in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.refine = nn.Sequential(
            normalised(nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect"), width),
            nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect"),
            nn.InstanceNorm2d(width, affine=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return refined features, `(B, C, H, W)` like `features`."""
        refined: Tensor = self.refine(features)
        return features + refined


class ISecretGenerator(Enhancer):
    """I-SECRET's generator: residual blocks at 1/4 of the resolution.

    Our implementation of the published description, the generator alone. Deviation: trained on
    pairs by the loss of all peers here, without the importance map, the discriminator and the
    contrastive terms; it adds a residual instead of ending in a tanh.

    Args:
        width: Channels at full resolution; doubled twice. 64 in I-SECRET.
        blocks: Residual blocks; 9 in I-SECRET. The defaults (our choice) have 1.4 M parameters
            and 6.4 GMACs at 256x256.

    Example:
        >>> import torch
        >>> ISecretGenerator(4, 1)(torch.rand(1, 3, 33, 20)).image.shape
        torch.Size([1, 3, 33, 20])

    References:
        Cheng et al., "I-SECRET: importance-guided fundus image enhancement via semi-supervised
        contrastive constraining", MICCAI 2021.
    """

    def __init__(self, width: int = 22, blocks: int = 9) -> None:
        super().__init__()
        double, quadruple = 2 * width, 4 * width
        self.standardise = Standardise()
        self.encode = nn.Sequential(
            normalised(nn.Conv2d(3, width, 7, padding=3, padding_mode="reflect"), width),
            normalised(nn.Conv2d(width, double, 3, stride=2, padding=1), double),
            normalised(nn.Conv2d(double, quadruple, 3, stride=2, padding=1), quadruple),
        )
        self.refine = nn.Sequential(*(NormalisedBlock(quadruple) for _ in range(blocks)))
        self.decode = nn.Sequential(
            normalised(nn.ConvTranspose2d(quadruple, double, 4, stride=2, padding=1), double),
            normalised(nn.ConvTranspose2d(double, width, 4, stride=2, padding=1), width),
            nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect"),
        )

    def forward(self, image: Tensor, mask: Tensor | None = None) -> EnhancerOutput:
        """Enhance a batch of photographs.

        Args:
            image: `(B, 3, H, W)` in [0, 1], any height and width; padded inside.
            mask: Not used.

        Returns:
            One estimate, `(B, 3, H, W)`; no structure map.
        """
        height, width = image.shape[-2:]
        padded = padded_to(image, 4)
        enhanced = padded + self.decode(self.refine(self.encode(self.standardise(padded))))
        return EnhancerOutput((enhanced[..., :height, :width],))
