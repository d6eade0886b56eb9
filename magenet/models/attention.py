"""Attention modules of MAGE-Net: channel, spatial, both combined, supervised between stages."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ChannelAttention(nn.Module):
    """Squeeze-and-excitation channel attention.

    Args:
        width: Number of channels.
        reduction: Reduction factor of the bottleneck; 4 as in MPRNet.

    References:
        Hu et al., "Squeeze-and-excitation networks", CVPR 2018. Zamir et al., "Multi-Stage
        Progressive Image Restoration" (MPRNet), CVPR 2021, CAB.
    """

    def __init__(self, width: int, reduction: int = 4) -> None:
        super().__init__()
        hidden = max(width // reduction, 4)
        self.squeeze = nn.Conv2d(width, hidden, 1)
        self.excite = nn.Conv2d(hidden, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return a weight in (0, 1) for each channel of `(B, C, H, W)`: `(B, C, 1, 1)`."""
        statistics = features.mean(dim=(2, 3), keepdim=True)
        weight: Tensor = self.excite(functional.relu(self.squeeze(statistics))).sigmoid()
        return weight


class SpatialAttention(nn.Module):
    """Spatial attention: a convolution over a projection of the channels (CBAM).

    Deviation: CBAM projects by the mean and the maximum over the channels; a learned projection
    serves the same purpose and costs a third or less, forward and backward, on a CPU in bf16.

    Args:
        width: Number of channels.
        kernel_size: Kernel size of the convolution; 7 as in CBAM.

    References:
        Woo et al., "CBAM: Convolutional Block Attention Module", ECCV 2018, section 3.
    """

    def __init__(self, width: int, kernel_size: int = 7) -> None:
        super().__init__()
        self.project = nn.Conv2d(width, 1, 1)
        self.weigh = nn.Conv2d(1, 1, kernel_size, padding=kernel_size // 2)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits of a weight for each place of `(B, C, H, W)`: `(B, 1, H, W)`."""
        logits: Tensor = self.weigh(self.project(features))
        return logits


class ResidualBlock(nn.Module):
    """Residual block of two 3x3 convolutions, without normalisation (MPRNet).

    Args:
        width: Number of channels in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def refine(self, features: Tensor) -> Tensor:
        """Return the residual to be added to `features`, `(B, C, H, W)`, in the same shape."""
        # In place: on a CPU each pass over new memory costs as much as a small convolution.
        refined: Tensor = self.second(functional.relu(self.first(features), inplace=True))
        return refined

    def forward(self, features: Tensor) -> Tensor:
        """Return refined features, `(B, C, H, W)` like `features`."""
        return features + self.refine(features)


class MultiAttentionBlock(ResidualBlock):
    """Residual block with channel and spatial attention.

    Both attentions read the residual averaged over 2x2 pixels, and their product weights it in one
    pass, since the cost of attention is memory traffic, not arithmetic. How the two are combined is
    our choice; the paper's abstract says only "multi-attention".

    Args:
        width: Number of channels in and out.
        channel_attention: Whether to use channel attention.
        spatial_attention: Whether to use spatial attention.
    """

    def __init__(
        self, width: int, *, channel_attention: bool = True, spatial_attention: bool = True
    ) -> None:
        super().__init__(width)
        self.channel = ChannelAttention(width) if channel_attention else None
        self.spatial = SpatialAttention(width) if spatial_attention else None

    def weight(self, refined: Tensor) -> Tensor | None:
        """Return the weight in (0, 1) of each channel at each pixel, or None without attention.

        Args:
            refined: The residual, `(B, C, H, W)`.

        Returns:
            `(B, C, H, W)`, or `(B, C, 1, 1)` or `(B, 1, H, W)` with one attention only.
        """
        small = functional.avg_pool2d(refined, 2, ceil_mode=True)
        channel = None if self.channel is None else self.channel(small)
        if self.spatial is None:
            return channel
        spatial = functional.interpolate(
            self.spatial(small), size=refined.shape[-2:], mode="bilinear", align_corners=False
        ).sigmoid()
        return spatial if channel is None else outer(channel, spatial)

    def forward(self, features: Tensor) -> Tensor:
        """Return refined features, `(B, C, H, W)` like `features`."""
        refined = self.refine(features)
        weight = self.weight(refined)
        return features + (refined if weight is None else refined * weight)


def outer(channel: Tensor, spatial: Tensor) -> Tensor:
    """Return the product of `(B, C, 1, 1)` and `(B, 1, H, W)`, `(B, C, H, W)` in channels-last.

    A matrix product writes it, and its gradient, in the layout of the features; broadcasting
    would write it channels first.
    """
    flat = torch.bmm(spatial.flatten(2).mT, channel.flatten(2).mT)  # (B, H W, C)
    return flat.view(spatial.shape[0], *spatial.shape[-2:], -1).permute(0, 3, 1, 2)


class LightCorrection(nn.Module):
    """Output head: a gain and an offset for each pixel and colour of the photograph.

    Gain and offset are the inverse of light-transmission disturbance (a factor and an added
    field), so that a dim vessel regains its contrast and not only its brightness. Initialised to
    zero: the network starts as the identity. Deviation: MPRNet adds a residual image only.

    Args:
        width: Number of feature channels.
        scale: Pixels of the image per pixel of the features along one axis; each pixel of the
            image has its own gain and offset.
    """

    def __init__(self, width: int, scale: int = 1) -> None:
        super().__init__()
        self.scale = scale
        self.head = nn.Conv2d(width, 6 * scale**2, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]  # a Conv2d has a bias by default

    def correction(self, features: Tensor) -> Tensor:
        """Return gain minus 1 and offset of each colour, `(B, 6, H, W)`.

        Args:
            features: `(B, C, H / scale, W / scale)`.
        """
        correction: Tensor = self.head(features)
        if self.scale > 1:
            correction = functional.pixel_shuffle(correction, self.scale)
        return correction

    def forward(self, features: Tensor, image: Tensor) -> Tensor:
        """Return the corrected photograph.

        Args:
            features: `(B, C, H / scale, W / scale)`.
            image: The unenhanced photograph, `(B, 3, H, W)`.

        Returns:
            The estimate of the clean photograph, `(B, 3, H, W)`, in the image's dtype, not clamped.
        """
        return corrected(image, self.correction(features))


def corrected(image: Tensor, correction: Tensor) -> Tensor:
    """Return photographs `(B, 3, H, W)` with gains minus 1 and offsets `(B, 6, H, W)` applied."""
    gain, offset = correction.to(image.dtype).chunk(2, dim=1)
    return torch.addcmul(image + offset, image, gain)


class SupervisedAttention(nn.Module):
    """Supervised attention module (SAM): a stage's estimate gates the features passed on.

    Args:
        width: Number of feature channels.

    References:
        Zamir et al., MPRNet, CVPR 2021, section 3.3, supervised attention module.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.transform = nn.Conv2d(width, width, 1)
        self.weigh = nn.Conv2d(3, width, 1)

    def forward(self, features: Tensor, estimate: Tensor) -> Tensor:
        """Return features for the next stage.

        Args:
            features: Features of this stage, `(B, C, H, W)`.
            estimate: Estimate of this stage, `(B, 3, H, W)`.
        """
        weighed: Tensor = self.transform(features) * self.weigh(estimate).sigmoid()
        return features + weighed
