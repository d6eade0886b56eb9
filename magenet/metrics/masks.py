"""Masks `(B, 1, H, W)`: mean inside, shape check, dilation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def mean_inside(value: Tensor, mask: Tensor) -> Tensor:
    """Return each photograph's mean over the pixels inside a mask and all channels.

    Args:
        value: `(B, C, H, W)`.
        mask: `(B, 1, H, W)`, 0 or 1, or bool.

    Returns:
        `(B,)`; 0 where a mask is empty.

    Example:
        >>> mean_inside(torch.tensor([[[[1.0, 2.0, 6.0]]]]), torch.tensor([[[[1.0, 1.0, 0.0]]]]))
        tensor([1.5000])
    """
    area = mask.sum(dim=(1, 2, 3)) * value.shape[1]
    return (value * mask).sum(dim=(1, 2, 3)) / area.clamp(min=1)


def check_masks(*masks: Tensor) -> None:
    """Check that masks share one shape `(B, 1, H, W)`: others would broadcast to wrong scores.

    Args:
        masks: Masks or maps.

    Raises:
        ValueError: If shapes differ or are not `(B, 1, H, W)`.
    """
    shapes = [tuple(mask.shape) for mask in masks]
    if len(set(shapes)) > 1 or len(shapes[0]) != 4 or shapes[0][1] != 1:
        raise ValueError(f"masks must share one shape (B, 1, H, W), not {shapes}")


def require_numbers(probability: Tensor, mask: Tensor) -> None:
    """Raise if a probability inside the field is NaN: below any threshold, it could raise a score.

    Args:
        probability: `(B, 1, H, W)`.
        mask: Field of view, same shape, 0 or 1.

    Raises:
        ValueError: If there is one.
    """
    if bool((probability.isnan() & (mask > 0)).any()):
        raise ValueError("a probability is NaN: it would count as no vessel")


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
