"""Spots: the soft bright discs of dust on the optics."""

from __future__ import annotations

import torch
from torch import Tensor

from magenet.degradation.draws import Draws
from magenet.degradation.fields import REFERENCE_SIDE

MOST = 10
"""Most spots on a photograph (cofe-Net's released script draws 5 to 10)."""


def add_spots(image: Tensor, draws: Draws) -> Tensor:
    """Add 5 to 10 spots.

    Each is a disc blurred by a kernel far smaller than its sigma, that is by a box: its edge is
    a ramp as wide as the kernel, which is drawn directly. Deviation: the released script blurs
    along both axes by kernels of slightly different size; here the edge is the same all round.

    Args:
        image: `(B, 3, S, S)` in [0, 1], the square around the field.
        draws: Of the same batch.

    Returns:
        `(B, 3, S, S)` in [0, 1].

    References:
        cofe-Net's released script, spot artefacts.
    """
    height, width = image.shape[-2:]
    side = REFERENCE_SIDE
    count = draws.integer("spot_count", 5, MOST)
    size = draws.integer("spot_size", 6, 25, MOST)  # "radius" in the script, used as a diameter
    unit_x = draws.uniform("spot_x", 0.0, 1.0, MOST)
    unit_y = draws.uniform("spot_y", 0.0, 1.0, MOST)
    centre_x = size + 1 + unit_x * (side - 2 * size - 2)
    centre_y = size + 1 + unit_y * (side - 2 * size - 2)
    transmission = torch.exp(-(0.5 + size / 25) * (0.3 * size / 25))
    strength = (14 / 25 + 1 - size / 25) * (1 - transmission)
    strength = strength * (torch.arange(MOST, device=image.device)[None] < count[:, None])
    sigma = 2 * (5 + 20 * size / 25)
    least, most = (sigma / 5).floor(), (sigma / 4).floor()
    edge = least + draws.uniform("spot_blur", 0.0, 1.0, MOST) * (most - least)
    radius = (size / 2).floor()

    rows = (torch.arange(height, device=image.device) + 0.5) * (side / height) - 0.5
    columns = (torch.arange(width, device=image.device) + 0.5) * (side / width) - 0.5
    light = image.new_zeros(len(image), height, width)
    for spot in range(MOST):
        distance = (
            (rows[None, :] - centre_y[:, spot, None]).square()[:, :, None]
            + (columns[None, :] - centre_x[:, spot, None]).square()[:, None, :]
        ).sqrt()
        ramp = (radius[:, spot, None, None] - distance) / edge[:, spot, None, None] + 0.5
        light = light + ramp.clamp(0.0, 1.0) * strength[:, spot, None, None]
    return (image + light[:, None]).clamp(0.0, 1.0)
