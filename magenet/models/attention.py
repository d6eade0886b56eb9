"""The attentions of MAGE-Net: channel, spatial, both in one block, supervised between stages."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

NEGATIVE_SLOPE = 0.1
"""Slope of the leaky ReLU. Deviation: MPRNet shares one learned PReLU; a fixed slope is faster."""


class ChannelAttention(nn.Module):
    """Weigh channels by what the whole photograph contains (squeeze and excitation).

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
        """Return `features` `(B, C, H, W)` with each channel scaled by a weight in (0, 1)."""
        statistics = features.mean(dim=(2, 3), keepdim=True)
        weight: Tensor = self.excite(functional.relu(self.squeeze(statistics))).sigmoid()
        return features * weight


class SpatialAttention(nn.Module):
    """Weigh places by a projection of the channels, looked at over a neighbourhood.

    Deviation: CBAM projects by the mean and the maximum over the channels; a learned projection
    asks the same and costs three to ten times less, forward and backward, on a CPU in bf16.

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
        """Return `features` `(B, C, H, W)` with each place scaled by a weight in (0, 1)."""
        weight: Tensor = self.weigh(self.project(features)).sigmoid()
        return features * weight


class MultiAttentionBlock(nn.Module):
    """Refine features by two convolutions, channel and then spatial attention, plus a skip.

    The order is our choice; the paper's abstract says only "multi-attention".

    Args:
        width: Number of channels in and out.
        channel_attention: Whether the block weighs channels.
        spatial_attention: Whether the block weighs places.
    """

    def __init__(
        self, width: int, *, channel_attention: bool = True, spatial_attention: bool = True
    ) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.channel = ChannelAttention(width) if channel_attention else nn.Identity()
        self.spatial = SpatialAttention(width) if spatial_attention else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """Return refined features, `(B, C, H, W)` like `features`."""
        hidden: Tensor = functional.leaky_relu(self.first(features), NEGATIVE_SLOPE)
        hidden = self.spatial(self.channel(self.second(hidden)))
        return features + hidden


class LightCorrection(nn.Module):
    """Turn features into an image: the photograph times a gain plus an offset, per pixel.

    Gain and offset are the inverse of light-transmission disturbance (a factor and an added
    field), so that a dim vessel regains its contrast and not only its brightness. With the zero
    start the network begins as the identity. Deviation: MPRNet adds a residual image only.

    Args:
        width: Number of feature channels.
        stride: Pixels of the photograph per pixel of the features, along one axis.
    """

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.head = nn.Conv2d(width, 6, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]  # a Conv2d has a bias by default

    def forward(self, features: Tensor, image: Tensor) -> Tensor:
        """Return the corrected photograph.

        Args:
            features: `(B, C, H / stride, W / stride)`.
            image: The photograph as taken, `(B, 3, H, W)`.

        Returns:
            The estimate, `(B, 3, H, W)`, not clamped.
        """
        correction: Tensor = self.head(features)
        if self.stride > 1:
            correction = functional.interpolate(
                correction, scale_factor=self.stride, mode="bilinear", align_corners=False
            )
        gain, offset = correction.chunk(2, dim=1)
        return image + image * gain + offset


class SupervisedAttention(nn.Module):
    """Make a stage's estimate and let it decide which features go on to the next stage.

    Args:
        width: Number of feature channels.
        stride: Pixels of the photograph per pixel of the features, along one axis.
        attend: Whether the estimate weighs the features; otherwise they pass unchanged.

    References:
        Zamir et al., MPRNet, CVPR 2021, section 3.3, supervised attention module.
    """

    def __init__(self, width: int, stride: int, *, attend: bool = True) -> None:
        super().__init__()
        self.stride = stride
        self.correct = LightCorrection(width, stride)
        self.attend = attend
        if attend:
            self.transform = nn.Conv2d(width, width, 1)
            self.weigh = nn.Conv2d(3, width, 1)

    def forward(self, features: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return features for the next stage, `(B, C, h, w)`, and the estimate, `(B, 3, H, W)`."""
        estimate = self.correct(features, image)
        if self.attend:
            small = functional.avg_pool2d(estimate, self.stride) if self.stride > 1 else estimate
            features = features + self.transform(features) * self.weigh(small).sigmoid()
        return features, estimate
