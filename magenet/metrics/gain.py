"""Fine detail and contrast: an enhancement's gain is their ratio to the input's."""

from __future__ import annotations

import torch
from torch import Tensor

from magenet.metrics.appearance import appearance

FINE = ("sharpness_1", "sharpness_2")
"""Sharpness bands that count as fine: sigma below 2 px in a field 512 px wide (our choice)."""

LEAST_CONTRAST = 1e-5
"""Floor of luminance's standard deviation, as :func:`appearance` has for detail, so that the gain
of a flat photograph is 1."""


def detail_and_contrast(image: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Return the root mean square of each photograph's fine detail, and its contrast.

    Args:
        image: `(B, 3, S, S)` in [0, 1], the square around the field.
        mask: Field of view, `(B, 1, S, S)`, 0 or 1.

    Returns:
        `detail` and `contrast` (standard deviation of luminance), `(B,)` each. Noise and ringing
        count as detail; below 256 px the fine bands are finer than a pixel and carry little.
        Uneven illumination counts as contrast, so removing it can lower it.

    Example:
        >>> image, mask = 0.5 * torch.rand(1, 3, 128, 128), torch.ones(1, 1, 128, 128)
        >>> once, twice = (detail_and_contrast(x, mask)["detail"] for x in (image, 2 * image))
        >>> round(float(twice / once), 3)
        2.0
    """
    statistics = appearance(image, mask)
    # The bands hardly overlap, so their squares add up.
    detail = torch.stack([100 ** statistics[band] for band in FINE]).sum(dim=0).sqrt()
    return {"detail": detail, "contrast": statistics["contrast"].clamp(min=LEAST_CONTRAST)}
