"""From the network's small square back to the photograph at its own size."""

from __future__ import annotations

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
    side = field.square.side
    # Outside the field nothing was learnt: let only the inside speak, up to its very edge.
    change = functional.interpolate(
        ((enhanced.float() - seen.float()) * inside)[None], (side, side), mode="bilinear"
    )
    share = functional.interpolate(inside.float()[None], (side, side), mode="bilinear")
    change = (change / share.clamp(min=1e-3))[0]
    height, width = original.shape[-2:]
    result = original.float() + 255.0 * paste(change, field.square, height, width)
    return composite(result.round().clamp(0, 255).to(original.dtype), original, field.mask)
