"""Shape check and dilation of masks `(B, 1, H, W)`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def check_planes(*planes: Tensor) -> None:
    """Check that planes share one shape `(B, 1, H, W)`: others would broadcast to wrong scores.

    Args:
        planes: Masks or maps.

    Raises:
        ValueError: If shapes differ or are not `(B, 1, H, W)`.
    """
    shapes = [tuple(plane.shape) for plane in planes]
    if len(set(shapes)) > 1 or len(shapes[0]) != 4 or shapes[0][1] != 1:
        raise ValueError(f"masks must share one shape (B, 1, H, W), not {shapes}")


def dilate(mask: Tensor, radius: int) -> Tensor:
    """Dilate masks by a disc.

    Args:
        mask: bool `(B, 1, H, W)`.
        radius: Radius of the disc (Euclidean), in pixels.

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
    # Summands are 0 or 1, so that a threshold of 0.5 is safe in any precision.
    return functional.conv2d(mask.float(), disc.float()[None, None], padding=radius) > 0.5
