"""Pixel and edge losses inside the field of view, in fp32 whatever autocast says."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from magenet.models import EnhancerOutput

CHARBONNIER_EPSILON = 1e-3
"""Where Charbonnier turns from quadratic to linear (MPRNet)."""


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over the field, every photograph weighing the same.

    Args:
        values: `(B, C, H, W)`.
        mask: `(B, 1, H, W)`, 0 or 1.
    """
    area = mask.sum(dim=(1, 2, 3)).clamp(min=1.0) * values.shape[1]
    return ((values * mask).sum(dim=(1, 2, 3)) / area).mean()


def charbonnier(difference: Tensor, mask: Tensor) -> Tensor:
    """Return the Charbonnier distance, a smooth L1, inside the field.

    Args:
        difference: Of estimate and target, `(B, C, H, W)`, fp32.
        mask: `(B, 1, H, W)`, 0 or 1.
    """
    return masked_mean((difference.square() + CHARBONNIER_EPSILON**2).sqrt(), mask)


def averaged_like(image: Tensor, like: Tensor) -> Tensor:
    """Return an image averaged to the resolution of a stage's estimate.

    Args:
        image: `(B, C, H, W)`.
        like: `(B, 3, H / s, W / s)`, rounded up.
    """
    stride = -(-image.shape[-1] // like.shape[-1])
    return functional.avg_pool2d(image, stride, ceil_mode=True) if stride > 1 else image


def mask_like(mask: Tensor, like: Tensor) -> Tensor:
    """Return the field of view at the resolution of a stage's estimate: what lies wholly inside.

    Args:
        mask: `(B, 1, H, W)`, 0 or 1.
        like: `(B, 3, H / s, W / s)`, rounded up.
    """
    return (averaged_like(mask, like) >= 1.0).to(mask.dtype)


def laplacian(image: Tensor) -> Tensor:
    """Return what a 5-tap blur takes away, `(B, C, H, W)` (MPRNet's edge loss, one level).

    Deviation: MPRNet blurs, drops every other pixel, puts zeros back and blurs again; the
    difference from one blur is the same band, four times cheaper.
    """
    channels = image.shape[1]
    kernel = image.new_tensor([0.05, 0.25, 0.4, 0.25, 0.05])
    padded = functional.pad(image, (2, 2, 2, 2), mode="replicate")
    rows = functional.conv2d(
        padded, kernel.view(1, 1, 1, 5).repeat(channels, 1, 1, 1), groups=channels
    )
    both = functional.conv2d(
        rows, kernel.view(1, 1, 5, 1).repeat(channels, 1, 1, 1), groups=channels
    )
    return image - both


class EnhancementLoss(nn.Module):
    """Compare every stage's estimate with the clean photograph, inside the field.

    Sum over the stages of Charbonnier plus `edge_weight` times Charbonnier between Laplacians; a
    stage at a lower resolution is compared with the clean photograph averaged to it.

    Args:
        edge_weight: Weight of the edge term; 0.05 as in MPRNet.

    References:
        Zamir et al., MPRNet, CVPR 2021, equations 1 to 3; the mask is our choice.
    """

    def __init__(self, edge_weight: float = 0.05) -> None:
        super().__init__()
        self.edge_weight = edge_weight

    def forward(self, output: EnhancerOutput, clean: Tensor, mask: Tensor) -> Tensor:
        """Return the loss, a scalar in fp32.

        Args:
            output: Of the network, for `(B, 3, H, W)` photographs.
            clean: `(B, 3, H, W)` in [0, 1].
            mask: Field of view, `(B, 1, H, W)`, 0 or 1.
        """
        with torch.autocast(clean.device.type, enabled=False):
            loss = clean.new_zeros(())
            for estimate in output.stages:
                inside = mask_like(mask, estimate)
                difference = estimate.float() - averaged_like(clean.float(), estimate)
                loss = loss + charbonnier(difference, inside)
                if self.edge_weight:
                    # The Laplacian is linear: that of the difference is the difference of both.
                    edges = charbonnier(laplacian(difference), inside)
                    loss = loss + self.edge_weight * edges
            return loss
