"""Pixel and edge losses inside the field of view, in fp32 even under autocast."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from magenet.metrics.masks import mean_inside
from magenet.models import EnhancerOutput

CHARBONNIER_EPSILON = 1e-3
"""Difference at which the Charbonnier loss turns from quadratic to linear (MPRNet)."""


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over the field of view, with equal weight for every photograph.

    Args:
        values: `(B, C, H, W)`.
        mask: `(B, 1, H, W)`, 0 or 1.
    """
    return mean_inside(values, mask).mean()


def charbonnier(difference: Tensor, mask: Tensor) -> Tensor:
    """Return the Charbonnier loss, a smooth L1, inside the field.

    Args:
        difference: Estimate minus target, `(B, C, H, W)`, fp32.
        mask: `(B, 1, H, W)`, 0 or 1.
    """
    return masked_mean((difference.square() + CHARBONNIER_EPSILON**2).sqrt(), mask)


def averaged_like(image: Tensor, like: Tensor) -> Tensor:
    """Average an image to the resolution of a stage's estimate.

    Args:
        image: `(B, C, H, W)`.
        like: `(B, 3, H / s, W / s)`, rounded up; or smaller by any factor.
    """
    size = like.shape[-2:]
    stride = -(-image.shape[-1] // size[-1])
    if stride == 1:
        return image
    if [-(-side // stride) for side in image.shape[-2:]] != list(size):  # seen at a size of its own
        return functional.interpolate(image, size, mode="area")
    return functional.avg_pool2d(image, stride, ceil_mode=True)


def mask_like(mask: Tensor, like: Tensor) -> Tensor:
    """Return the field of view at the resolution of a stage's estimate: pixels entirely inside.

    Args:
        mask: `(B, 1, H, W)`, 0 or 1.
        like: `(B, 3, H / s, W / s)`, rounded up.
    """
    return (averaged_like(mask, like) >= 1.0).to(mask.dtype)


def laplacian(image: Tensor) -> Tensor:
    """Return the difference from a 5-tap blur, `(B, C, H, W)`: one level of a Laplacian pyramid.

    As in MPRNet's edge loss. Deviation: MPRNet blurs, drops every other pixel, inserts zeros and
    blurs again; the difference from one blur is the same band at a quarter of the cost.
    """
    channels = image.shape[1]
    kernel = image.new_tensor([0.05, 0.25, 0.4, 0.25, 0.05])
    padded = functional.pad(image, (2, 2, 2, 2), mode="replicate")
    along_rows = functional.conv2d(
        padded, kernel.view(1, 1, 1, 5).repeat(channels, 1, 1, 1), groups=channels
    )
    blurred = functional.conv2d(
        along_rows, kernel.view(1, 1, 5, 1).repeat(channels, 1, 1, 1), groups=channels
    )
    return image - blurred


class EnhancementLoss(nn.Module):
    """MPRNet's loss: Charbonnier and edge loss of every stage's estimate, inside the field.

    Sum over the stages of the Charbonnier loss plus `edge_weight` times that of the Laplacians; a
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
            output: Output of the network for photographs `(B, 3, H, W)`.
            clean: Clean photographs, `(B, 3, H, W)` in [0, 1].
            mask: Field of view, `(B, 1, H, W)`, 0 or 1.
        """
        with torch.autocast(clean.device.type, enabled=False):
            loss = clean.new_zeros(())
            for estimate in output.stages:
                inside = mask_like(mask, estimate)
                difference = estimate.float() - averaged_like(clean.float(), estimate)
                loss = loss + charbonnier(difference, inside)
                if self.edge_weight:
                    # The Laplacian is linear: that of the difference is the difference of the two.
                    edges = charbonnier(laplacian(difference), inside)
                    loss = loss + self.edge_weight * edges
            return loss
