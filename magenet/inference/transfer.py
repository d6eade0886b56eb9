"""From the network's small square back to the photograph at its own size."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from magenet.fov import FieldOfView, composite, paste


def transfer(
    enhanced: Tensor, seen: Tensor, inside: Tensor, original: Tensor, field: FieldOfView
) -> Tensor:
    """Apply to the original what the network changed on its small copy.

    The network sees every eye at the scale it was trained at; the change it makes is smooth
    compared with a pixel of the original, so it is enlarged and added. The original's own detail
    stays, memory is bounded by the photograph itself, and no tile can show.

    Args:
        enhanced: What the network gave, `(3, S, S)` in [0, 1].
        seen: What it was given, `(3, S, S)` in [0, 1].
        inside: Field of view of that copy, `(1, S, S)`, 0 or 1.
        original: The photograph, uint8 `(3, H, W)`.
        field: Its field of view at full size.

    Returns:
        uint8 `(3, H, W)`, bit for bit the original outside the field.
    """
    change = _spread((enhanced.float() - seen.float())[None], inside.float()[None])
    side = field.square.side
    change = functional.interpolate(change, (side, side), mode="bilinear")[0]
    height, width = original.shape[-2:]
    result = original.float() + 255.0 * paste(change, field.square, height, width)
    return composite(result.round().clamp(0, 255).to(original.dtype), original, field.mask)


def enhance(network: Callable[[Tensor], Tensor], image: Tensor, mask: Tensor, size: int) -> Tensor:
    """Enhance photographs of any size through a network that sees them at one, as `predict` does.

    Args:
        network: Takes and gives `(B, 3, size, size)` in [0, 1].
        image: Photographs cut to their field, `(B, 3, S, S)` in [0, 1].
        mask: Field of view, `(B, 1, S, S)`, 0 or 1.
        size: Side that the network sees, in pixels.

    Returns:
        `(B, 3, S, S)` in [0, 1]; at `S = size` what the network gives.
    """
    if image.shape[-1] == size:
        return network(image)
    seen = functional.interpolate(image, (size, size), mode="bilinear", antialias=True)
    inside = (functional.interpolate(mask, (size, size), mode="area") >= 0.5).to(mask.dtype)
    change = _spread(network(seen) - seen, inside)
    change = functional.interpolate(change, image.shape[-2:], mode="bilinear")
    return (image + change).clamp(0.0, 1.0)


def _spread(change: Tensor, inside: Tensor) -> Tensor:
    """Return the change inside the field, carried on for two pixels beyond its edge.

    Outside nothing was learnt, and the field's edge at full size lies up to a small pixel further
    out: there the nearest inside must speak.
    """
    change = change * inside
    for _ in range(2):
        area = functional.avg_pool2d(inside, 3, 1, 1)
        mean = functional.avg_pool2d(change, 3, 1, 1) / area.clamp(min=1e-6)
        change = change.where(inside > 0, mean)
        inside = (area > 0).float()
    return change
