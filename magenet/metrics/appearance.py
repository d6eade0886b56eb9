"""Image statistics of photographs, and the Kolmogorov-Smirnov distance of two samples."""

from __future__ import annotations

import torch
from kornia.color import rgb_to_grayscale
from torch import Tensor
from torch.nn import functional

from magenet.metrics.masks import mean_inside

BANDS = (1.0, 2.0, 4.0, 8.0)
"""Upper limits of the sharpness bands: Gaussian sigmas in pixels, for a field 512 px wide."""

STATISTICS = (
    "brightness", "contrast", *(f"sharpness_{band}" for band in range(1, len(BANDS) + 1)),
    "red_green", "blue_green", "saturation", "left_right", "top_bottom", "rim_centre",
)  # fmt: skip
"""Names of the statistics, in their order."""


def appearance(image: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Return image statistics of each photograph inside its field of view.

    - `brightness`, `contrast`: mean and standard deviation of luminance.
    - `sharpness_1` to `_4`: log10 of the root mean square of the green channel between one blur
      and the next, finest band first, away from the field's edge.
    - `red_green`, `blue_green`: natural logarithm of the ratio of the channels' means.
    - `saturation`: mean of (maximum - minimum) / maximum over the channels.
    - `left_right`, `top_bottom`: absolute difference of the two halves' mean luminance over their
      sum, 0 to 1.
    - `rim_centre`: mean luminance of the outer ring minus that of the centre.

    Args:
        image: `(B, 3, S, S)` in [0, 1], the square around the field.
        mask: Field of view, `(B, 1, S, S)`, 0 or 1.

    Returns:
        `(B,)` each, by the names in :data:`STATISTICS`.
    """
    image, mask = image.float(), mask.float()
    size = image.shape[-1]
    grey = rgb_to_grayscale(image)
    level = mean_inside(grey, mask)
    result = {
        "brightness": level,
        "contrast": mean_inside((grey - level[:, None, None, None]).square(), mask).sqrt(),
    }
    reach = round(size / 64)
    inner = -functional.max_pool2d(-mask, 2 * reach + 1, 1, reach)
    finer = image[:, 1:2] * mask
    for band, width in enumerate(BANDS, start=1):
        sigma = width * size / 512
        blurred = _gaussian(image[:, 1:2] * mask, sigma) / _gaussian(mask, sigma).clamp(min=1e-3)
        strength = mean_inside((finer - blurred).square(), inner).sqrt()
        result[f"sharpness_{band}"] = strength.clamp(min=1e-5).log10()
        finer = blurred
    red, green, blue = (mean_inside(c, mask).clamp(min=1e-4) for c in image.chunk(3, dim=1))
    result["red_green"], result["blue_green"] = (red / green).log(), (blue / green).log()
    highest, lowest = image.amax(dim=1, keepdim=True), image.amin(dim=1, keepdim=True)
    result["saturation"] = mean_inside((highest - lowest) / highest.clamp(min=0.02), mask)
    axis = (torch.arange(size, device=image.device) + 0.5) / size * 2 - 1
    x, y = axis[None, :].expand(size, size), axis[:, None].expand(size, size)
    for name, side in (("left_right", x), ("top_bottom", y)):
        first, second = (mean_inside(grey, mask * half.float()) for half in (side < 0, side > 0))
        result[name] = (first - second).abs() / (first + second).clamp(min=1e-4)
    radius = (x.square() + y.square()).sqrt()
    rim, centre = ((radius > 0.85) & (radius < 0.98)).float(), (radius < 0.6).float()
    result["rim_centre"] = mean_inside(grey, mask * rim) - mean_inside(grey, mask * centre)
    return {name: result[name] for name in STATISTICS}


def _gaussian(plane: Tensor, sigma: float) -> Tensor:
    """Return planes `(B, 1, H, W)` after a Gaussian blur, padded with zeros."""
    reach = max(1, round(3 * sigma))
    offsets = torch.arange(-reach, reach + 1, device=plane.device)
    weights = torch.exp(-0.5 * (offsets / sigma).square())
    weights = weights / weights.sum()
    # Bands are small differences of such planes: a Trainer's bf16 would drown them.
    with torch.autocast(plane.device.type, enabled=False):
        plane = functional.conv2d(plane, weights[None, None, :, None], padding=(reach, 0))
        return functional.conv2d(plane, weights[None, None, None, :], padding=(0, reach))


def two_sample_distance(one: Tensor, other: Tensor) -> float:
    """Return the two-sample Kolmogorov-Smirnov distance, 0 (equal) to 1 (disjoint).

    Args:
        one: First sample, `(n,)`.
        other: Second sample, `(m,)`.

    Example:
        >>> two_sample_distance(torch.tensor([1.0, 2.0]), torch.tensor([1.5, 3.0]))
        0.5
    """
    values = torch.cat([one, other])
    cumulative = [
        torch.searchsorted(sample.sort().values, values, right=True) / len(sample)
        for sample in (one, other)
    ]
    return float((cumulative[0] - cumulative[1]).abs().max())
