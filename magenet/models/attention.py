"""The attentions of MAGE-Net: channel, spatial, both in one block, supervised between stages."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ChannelAttention(nn.Module):
    """Say how much each channel counts, by what the whole photograph contains.

    Args:
        width: Number of channels.
        reduction: Factor of the bottleneck; 4 as in MPRNet.

    References:
        Zamir et al., "Multi-Stage Progressive Image Restoration" (MPRNet), CVPR 2021, CAB.
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
    """Say how much each place counts: a projection of the channels, seen over a neighbourhood.

    Deviation: CBAM projects by the mean and the maximum over the channels; a learned projection
    asks the same and costs a third or less, forward and backward, on a CPU in bf16.

    Args:
        width: Number of channels.
        kernel_size: Side of the neighbourhood; 7 as in CBAM.

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
    """Refine features by two convolutions plus a skip; no normalisation (MPRNet).

    Args:
        width: Number of channels in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def refine(self, features: Tensor) -> Tensor:
        """Return what is to be added to `features` `(B, C, H, W)`, of the same shape."""
        # In place: on a CPU each pass over fresh memory costs as much as a small convolution.
        refined: Tensor = self.second(functional.relu(self.first(features), inplace=True))
        return refined

    def forward(self, features: Tensor) -> Tensor:
        """Return refined features, `(B, C, H, W)` like `features`."""
        return features + self.refine(features)


class MultiAttentionBlock(ResidualBlock):
    """Let channel and spatial attention decide what a residual block adds, and where.

    Both attentions look at the refinement averaged over 2x2 places, and their product weighs it
    in one go: how often a feature map is read and written, not arithmetic, is what attention
    costs. That they work together, and how, is our choice; the paper's abstract says only
    "multi-attention".

    Args:
        width: Number of channels in and out.
        channel_attention: Whether the block weighs channels.
        spatial_attention: Whether the block weighs places.
    """

    def __init__(
        self, width: int, *, channel_attention: bool = True, spatial_attention: bool = True
    ) -> None:
        super().__init__(width)
        self.channel = ChannelAttention(width) if channel_attention else None
        self.spatial = SpatialAttention(width) if spatial_attention else None

    def weight(self, refined: Tensor) -> Tensor | None:
        """Return the weight in (0, 1) of each channel at each place, or None without attention.

        Args:
            refined: `(B, C, H, W)`.

        Returns:
            `(B, C, H, W)`, or `(B, C, 1, 1)` or `(B, 1, H, W)` with one attention only.
        """
        small = functional.avg_pool2d(refined, 2, ceil_mode=True)
        channel = None if self.channel is None else self.channel(small)
        if self.spatial is None:
            return channel
        place = functional.interpolate(
            self.spatial(small), size=refined.shape[-2:], mode="bilinear", align_corners=False
        ).sigmoid()
        return place if channel is None else outer(channel, place)

    def forward(self, features: Tensor) -> Tensor:
        """Return refined features, `(B, C, H, W)` like `features`."""
        refined = self.refine(features)
        weight = self.weight(refined)
        return features + (refined if weight is None else refined * weight)


def outer(channel: Tensor, place: Tensor) -> Tensor:
    """Return `(B, C, H, W)`, the product of `(B, C, 1, 1)` and `(B, 1, H, W)`, channels last.

    A matrix product writes it, and its gradient, in the layout of the features; broadcasting
    would write it channels first.
    """
    flat = torch.bmm(place.flatten(2).mT, channel.flatten(2).mT)  # (B, H W, C)
    return flat.view(place.shape[0], *place.shape[-2:], -1).permute(0, 3, 1, 2)


class LightCorrection(nn.Module):
    """Turn features into an image: the photograph times a gain plus an offset, per pixel.

    Gain and offset are the inverse of light-transmission disturbance (a factor and an added
    field), so that a dim vessel regains its contrast and not only its brightness. With the zero
    start the network begins as the identity. Deviation: MPRNet adds a residual image only.

    Args:
        width: Number of feature channels.
        scale: Pixels of the image per pixel of the features, along one axis; each gets a gain and
            an offset of its own.
    """

    def __init__(self, width: int, scale: int = 1) -> None:
        super().__init__()
        self.scale = scale
        self.head = nn.Conv2d(width, 6 * scale**2, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]  # a Conv2d has a bias by default

    def forward(self, features: Tensor, image: Tensor) -> Tensor:
        """Return the corrected photograph.

        Args:
            features: `(B, C, H / scale, W / scale)`.
            image: The photograph as taken, `(B, 3, H, W)`.

        Returns:
            The estimate, `(B, 3, H, W)`, in the image's precision, not clamped.
        """
        correction: Tensor = self.head(features)
        if self.scale > 1:
            correction = functional.pixel_shuffle(correction, self.scale)
        gain, offset = correction.to(image.dtype).chunk(2, dim=1)
        return torch.addcmul(image + offset, image, gain)


class SupervisedAttention(nn.Module):
    """Let a stage's estimate decide which features go on to the next stage.

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
            features: Of this stage, `(B, C, H, W)`.
            estimate: What this stage made of the photograph, `(B, 3, H, W)`.
        """
        weighed: Tensor = self.transform(features) * self.weigh(estimate).sigmoid()
        return features + weighed
