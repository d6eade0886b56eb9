"""What the scores of masks share: planes `(B, 1, H, W)` of one shape, and what lies near them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def check_planes(*planes: Tensor) -> None:
    """Raise unless all are `(B, 1, H, W)` and alike: others would broadcast to wrong scores.

    Args:
        planes: Masks or maps.

    Raises:
        ValueError: If one is not.
    """
    shapes = [tuple(plane.shape) for plane in planes]
    if len(set(shapes)) > 1 or len(shapes[0]) != 4 or shapes[0][1] != 1:
        raise ValueError(f"masks must share one shape (B, 1, H, W), not {shapes}")


def dilate(mask: Tensor, radius: int) -> Tensor:
    """Return where a mask is no farther than `radius` pixels, measured straight.

    Args:
        mask: bool `(B, 1, H, W)`.
        radius: In pixels.

    Returns:
        bool, same shape.

    Example:
        >>> point = torch.zeros(1, 1, 5, 5, dtype=torch.bool)
        >>> point[..., 2, 2] = True
        >>> dilate(point, 1)[0, 0].int().tolist()[1]
        [0, 0, 1, 0, 0]
    """
    offsets = torch.arange(-radius, radius + 1, device=mask.device)
    disc = offsets[:, None].square() + offsets.square() <= radius**2
    # Of zeros and ones: a sum of at least one is exact enough in any precision.
    return functional.conv2d(mask.float(), disc.float()[None, None], padding=radius) > 0.5
