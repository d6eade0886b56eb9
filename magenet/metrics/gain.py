"""What an enhancement adds to its input: detail and contrast, as ratios."""

from __future__ import annotations

import torch
from torch import Tensor

from magenet.metrics.appearance import appearance

FINE = ("sharpness_1", "sharpness_2")
"""The bands that count as fine: finer than a blur of 2 px in a field 512 wide (our choice)."""

LEAST_CONTRAST = 1e-5
"""Floor of luminance's deviation, as :func:`appearance` has it for detail: flat gains 1."""


def strength(image: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Return how strong each photograph's fine detail and its contrast are.

    Args:
        image: `(B, 3, S, S)` in [0, 1], the square around the field.
        mask: Field of view, `(B, 1, S, S)`, 0 or 1.

    Returns:
        `detail` and `contrast`, `(B,)` each: what the gains are ratios of. Noise and ringing count
        as detail; below 256 px its bands are finer than a pixel, and little is left to compare.
        Uneven light counts as contrast, so that removing it can lower this.

    Example:
        >>> image, mask = 0.5 * torch.rand(1, 3, 128, 128), torch.ones(1, 1, 128, 128)
        >>> gain = strength(2 * image, mask)["detail"] / strength(image, mask)["detail"]
        >>> round(float(gain), 3)
        2.0
    """
    seen = appearance(image, mask)
    # Bands hardly overlap, so that their squares add up.
    detail = torch.stack([100 ** seen[band] for band in FINE]).sum(dim=0).sqrt()
    return {"detail": detail, "contrast": seen["contrast"].clamp(min=LEAST_CONTRAST)}
