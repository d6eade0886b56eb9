"""Haze removal by the dark channel prior (He et al., TPAMI 2011)."""

from __future__ import annotations

import torch
from kornia.filters import guided_blur
from torch import Tensor
from torch.nn import functional

from magenet.models.peers.classical import Classical, blurred

LEAST_LIGHT = 0.01
"""Lower bound of the atmospheric light per channel, so that a channel without light can be
divided by it."""


def dark_channel(image: Tensor, field: Tensor, patch: int) -> Tensor:
    """Return the minimum over channels in the patch around each pixel, `(B, 1, H, W)`.

    Args:
        image: `(B, 3, H, W)`.
        field: bool `(B, 1, H, W)`; pixels outside do not count.
        patch: Side of the square, odd, in pixels.
    """
    least = image.amin(dim=1, keepdim=True).masked_fill(~field, torch.inf)
    dark: Tensor = -functional.max_pool2d(-least, patch, 1, patch // 2)
    return dark


def atmospheric_light(image: Tensor, field: Tensor, dark: Tensor, share: float) -> Tensor:
    """Return the atmospheric light: the brightest pixel where the dark channel is brightest.

    Args:
        image: `(B, 3, H, W)`.
        field: bool `(B, 1, H, W)`.
        dark: The dark channel, `(B, 1, H, W)`.
        share: Fraction of the field's pixels that are candidates, at least one pixel.

    Returns:
        `(B, 3, 1, 1)`, at least `LEAST_LIGHT`.
    """
    inside = field.flatten(1)  # (B, H W)
    levels = dark.flatten(1).masked_fill(~inside, -torch.inf)
    count = (share * inside.sum(dim=1, keepdim=True)).ceil().long().clamp(min=1)
    threshold = levels.sort(dim=1, descending=True).values.gather(1, count - 1)
    intensity = image.sum(dim=1).flatten(1).masked_fill(levels < threshold, -torch.inf)
    pixel = intensity.argmax(dim=1)[:, None, None].expand(-1, 3, 1)
    return image.flatten(2).gather(2, pixel)[..., None].clamp(min=LEAST_LIGHT)


class DarkChannelPrior(Classical):
    """Dark channel prior: in a clear photograph some channel is dark somewhere in every patch.

    Deviation: the patch and the guided filter scale with the photograph, since a retina fills
    the frame at any resolution; He et al. state them for photographs 600 pixels wide.

    Args:
        patch: Side of the patch over the photograph's longer side; 15 pixels of 600 as in He.
        omega: Fraction of the haze that is removed; 0.95 as in He.
        least_transmission: Lower bound, below which noise is amplified too much; 0.1 as in He.
        share: Fraction of the pixels that are candidates for the haze's colour; 0.1 % as in He.
        guide_radius: Radius of the guided filter that refines the transmission, over the patch's
            side; 20 pixels for a patch of 15, as in He for haze.
        guide_variance: Variance of the guide below which the filter smooths; 0.001 as in He.

    Example:
        >>> import torch
        >>> DarkChannelPrior()(torch.rand(1, 3, 45, 33)).image.shape
        torch.Size([1, 3, 45, 33])

    References:
        He, Sun, Tang, "Single image haze removal using dark channel prior", IEEE TPAMI 2011,
        section 4. He, Sun, Tang, "Guided image filtering", ECCV 2010, for the refinement.
    """

    def __init__(
        self,
        patch: float = 0.025,
        omega: float = 0.95,
        least_transmission: float = 0.1,
        share: float = 0.001,
        guide_radius: float = 4 / 3,
        guide_variance: float = 0.001,
    ) -> None:
        super().__init__()
        self.patch = patch
        self.omega = omega
        self.least_transmission = least_transmission
        self.share = share
        self.guide_radius = guide_radius
        self.guide_variance = guide_variance

    def side(self, image: Tensor) -> int:
        """Return the side of the patch in pixels: odd, at least 3."""
        return 2 * max(1, round(self.patch * max(image.shape[-2:]) / 2.0 - 0.5)) + 1

    def transmission(self, image: Tensor, field: Tensor, light: Tensor) -> Tensor:
        """Return the fraction of light that reaches the camera, by patch, `(B, 1, H, W)`."""
        return 1.0 - self.omega * dark_channel(image / light, field, self.side(image))

    def refined(self, transmission: Tensor, image: Tensor, field: Tensor) -> Tensor:
        """Refine the transmission, `(B, 1, H, W)`, by a guided filter on the photograph."""
        radius = round(self.guide_radius * self.side(image))
        # The filter has no mask: the surround is filled by extending the field.
        both = torch.cat([image, transmission.masked_fill(~field, 0.0)], dim=1)
        both = torch.where(field, both, blurred(both, field, radius / 2.0))
        size = 2 * radius + 1
        result: Tensor = guided_blur(
            both[:, :3], both[:, 3:], size, self.guide_variance,
            border_type="replicate", separable=True,
        )  # fmt: skip
        return result

    def enhance(self, image: Tensor, field: Tensor) -> Tensor:
        """Return the photograph without haze."""
        dark = dark_channel(image, field, self.side(image))
        light = atmospheric_light(image, field, dark, self.share)
        transmission = self.refined(self.transmission(image, field, light), image, field)
        return (image - light) / transmission.clamp(self.least_transmission, 1.0) + light
