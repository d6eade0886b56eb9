"""Light-transmission disturbance: colour, halo, hole.

References:
    Shen et al., "Modeling and Enhancing Low-Quality Retinal Fundus Images" (cofe-Net), TMI 2021,
    and its released offline script, whose numbers these are.
"""

from __future__ import annotations

import torch
from kornia.enhance import (
    adjust_brightness_accumulative,
    adjust_contrast_with_mean_subtraction,
    adjust_saturation_with_gray_subtraction,
)
from torch import Tensor

from magenet.degradation.draws import Draws
from magenet.degradation.fields import REFERENCE_SIDE, blurred, disc, enlarge

HALO_COLOURS = ((141 / 255, 238 / 255, 238 / 255), (177 / 255, 195 / 255, 147 / 255))
"""The two halo colours that the released script can draw; its white is unreachable there."""


def _odd(size: Tensor) -> Tensor:
    """Return whole sizes, raised to the next odd number, as float32."""
    whole = size.floor()
    return whole + (whole % 2 == 0).float()


def disturb_light(image: Tensor, mask: Tensor, draws: Draws) -> Tensor:
    """Disturb the light of photographs: colour, then halo, then hole.

    Args:
        image: `(B, 3, S, S)` in [0, 1], the square around the field.
        mask: Field of view, `(B, 1, S, S)`, 0 or 1.
        draws: Of the same batch.

    Returns:
        `(B, 3, S, S)` in [0, 1].
    """
    return add_hole(add_halo(change_colour(image, draws), draws), mask, draws)


def change_colour(image: Tensor, draws: Draws) -> Tensor:
    """Change brightness by 0.7 to 1.2, then contrast and saturation by 0.6 to 1.4 (cofe-Net)."""
    image = adjust_brightness_accumulative(image, draws.uniform("brightness", 0.7, 1.2))
    image = adjust_contrast_with_mean_subtraction(image, draws.uniform("contrast", 0.6, 1.4))
    saturation = draws.uniform("saturation", 0.6, 1.4)
    changed: Tensor = adjust_saturation_with_gray_subtraction(image, saturation)
    return changed


def add_halo(image: Tensor, draws: Draws) -> Tensor:
    """Add a bright ring that leaks in from outside the field.

    Outside an inner disc, blurred, as bright as the photograph is on average. See the released
    script for the odd formula of the outer disc; in practice it covers the field.
    """
    height, width = image.shape[-2:]
    side = float(REFERENCE_SIDE)
    centre_x = draws.integer("halo_x", round(side * 3 / 8), round(side * 5 / 8))
    centre_y = draws.integer("halo_y", round(side * 3 / 8), round(side * 5 / 8))
    inner = side * draws.uniform("halo_inner", 0.75, 1.0)
    far_x = torch.maximum(centre_x, side - centre_x)
    far_y = torch.maximum(centre_y, side - centre_y)
    limit = 2 * (far_x.square() + far_y.square()).sqrt().floor() / side
    shift = (torch.maximum(centre_x, centre_y) - side / 2 + side / 2).abs()
    outer = side * draws.uniform("halo_outer", torch.ones_like(limit), limit) + shift
    kernel = (2 * torch.maximum(far_x, far_y) - inner).abs()
    ring = (disc(centre_x, centre_y, outer) - disc(centre_x, centre_y, inner)).clamp(min=0.0)
    kernel_size = _odd(kernel)
    field = blurred(ring, kernel_size, kernel_size, (2 * kernel / 3).clamp(min=1.0))
    colours = torch.tensor(HALO_COLOURS, device=image.device, dtype=image.dtype)
    colour = colours[draws.integer("halo_colour", 0, len(HALO_COLOURS) - 1).long()]
    level = image.mean(dim=(1, 2, 3), keepdim=True)
    light = enlarge(field, height, width) * level * colour[:, :, None, None]
    return (image + light).clamp(0.0, 1.0)


def add_hole(image: Tensor, mask: Tensor, draws: Draws) -> Tensor:
    """Darken a soft disc; photographs that are dark already (mean at most 0.25) are left alone."""
    height, width = image.shape[-2:]
    side = float(REFERENCE_SIDE)
    diameter = draws.integer("hole_size", round(0.4 * side), round(0.7 * side))
    centre_x = draws.integer("hole_x", round(side / 4), round(side * 3 / 4))
    centre_y = draws.integer("hole_y", round(side * 3 / 8), round(side * 5 / 8))
    level = image.sum(dim=(1, 2, 3)) / (3 * mask.sum(dim=(1, 2, 3))).clamp(min=1.0)
    base = draws.uniform("hole_base", -0.262, -0.26)
    depth = draws.uniform("hole_depth", base - 0.06 * level, base - 0.05 * level)
    depth = torch.where(level > 0.25, depth, 0.0)
    kernel_x = draws.uniform("hole_blur_x", 0.55 * diameter, 0.75 * diameter).floor()
    kernel_y = draws.uniform("hole_blur_y", 0.55 * diameter, 0.75 * diameter).floor()
    sigma = 2 / 3 * 1.2 * torch.maximum(kernel_x, kernel_y)
    field = blurred(disc(centre_x, centre_y, diameter), _odd(kernel_x), _odd(kernel_y), sigma)
    shade = enlarge(field * depth[:, None, None], height, width)
    return (image + shade).clamp(0.0, 1.0)
