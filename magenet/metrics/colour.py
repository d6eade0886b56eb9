"""Colour and lightness differences from a reference photograph."""

from __future__ import annotations

import math

import torch
from kornia.color import rgb_to_lab
from torch import Tensor

from magenet.metrics.full_reference import check_photographs
from magenet.metrics.masks import mean_inside


def colour_difference(image: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
    """Return each photograph's mean CIEDE2000 colour difference inside the field of view.

    A difference of about 1 is just noticeable side by side. Colours are read as sRGB under D65.

    Args:
        image: `(B, 3, H, W)` in [0, 1].
        reference: Same shape.
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.

    Returns:
        `(B,)`, 0 (equal) to about 100.

    Raises:
        ValueError: If a field is empty or shapes differ.

    Example:
        >>> black, mask = torch.zeros(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
        >>> round(float(colour_difference(torch.ones(1, 3, 8, 8), black, mask)), 1)
        100.0
    """
    check_photographs(image, reference, mask)
    distance = ciede2000(rgb_to_lab(image.float()), rgb_to_lab(reference.float()))[:, None]
    return mean_inside(distance, mask)


def brightness_drift(image: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
    """Return each photograph's mean L* minus its reference's, inside the field of view.

    Args:
        image: `(B, 3, H, W)` in [0, 1].
        reference: Same shape.
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.

    Returns:
        `(B,)` in L* units, -100 to 100; negative is darker than the reference, 0 is best.

    Raises:
        ValueError: If a field is empty or shapes differ.

    Example:
        >>> black, mask = torch.zeros(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
        >>> round(float(brightness_drift(black, torch.ones(1, 3, 8, 8), mask)), 1)
        -100.0
    """
    check_photographs(image, reference, mask)
    difference: Tensor = rgb_to_lab(image.float())[:, :1] - rgb_to_lab(reference.float())[:, :1]
    return mean_inside(difference, mask)


def ciede2000(lab: Tensor, other: Tensor) -> Tensor:
    """Return the CIEDE2000 difference of CIELAB colours, with kL = kC = kH = 1.

    Args:
        lab: `(B, 3, ...)`: L* in [0, 100], a* and b* from about -128 to 127.
        other: Same shape.

    Returns:
        `(B, ...)`, at least 0, in the dtype of the colours.

    References:
        Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula: implementation notes,
        supplementary test data, and mathematical observations", 2005, equations 2 to 22.

    Example:
        >>> one, other = torch.tensor([[50.0, 2.5, 0.0]]), torch.tensor([[73.0, 25.0, -18.0]])
        >>> round(float(ciede2000(one, other)), 2)
        27.15
    """
    (light_1, red_1, yellow_1), (light_2, red_2, yellow_2) = lab.unbind(1), other.unbind(1)
    # a* of near-greys is stretched before chroma and hue are computed.
    mean = (torch.hypot(red_1, yellow_1) + torch.hypot(red_2, yellow_2)) / 2
    stretch = 1.5 - 0.5 * _saturating(mean)
    chroma_1 = torch.hypot(stretch * red_1, yellow_1)
    chroma_2 = torch.hypot(stretch * red_2, yellow_2)
    hue_1 = torch.atan2(yellow_1, stretch * red_1).rad2deg() % 360
    hue_2 = torch.atan2(yellow_2, stretch * red_2).rad2deg() % 360

    # The hue of a grey is undefined but needs no special case: chroma 0 cancels it below.
    wraps = (hue_1 - hue_2).abs() > 180  # the shorter arc crosses 0 degrees
    arc = hue_2 - hue_1
    arc = torch.where(wraps, arc - 360 * arc.sign(), arc)
    total = hue_1 + hue_2
    hue = torch.where(wraps, (total + 360) / 2 % 360, total / 2)
    light, chroma = (light_1 + light_2) / 2, (chroma_1 + chroma_2) / 2

    squared_light = (light - 50).square()
    scale_light = 1 + 0.015 * squared_light / (20 + squared_light).sqrt()
    scale_chroma = 1 + 0.045 * chroma
    hue_weight = (
        1
        - 0.17 * (hue - 30).deg2rad().cos()
        + 0.24 * (2 * hue).deg2rad().cos()
        + 0.32 * (3 * hue + 6).deg2rad().cos()
        - 0.20 * (4 * hue - 63).deg2rad().cos()
    )
    scale_hue = 1 + 0.015 * chroma * hue_weight
    blue = 30 * torch.exp(-((hue - 275) / 25).square())
    rotation = -2 * _saturating(chroma) * (2 * blue).deg2rad().sin()

    by_light = (light_2 - light_1) / scale_light
    by_chroma = (chroma_2 - chroma_1) / scale_chroma
    by_hue = 2 * (chroma_1 * chroma_2).sqrt() * (arc / 2).deg2rad().sin() / scale_hue
    squared = by_light.square() + by_chroma.square() + by_hue.square()
    return (squared + rotation * by_chroma * by_hue).clamp(min=0.0).sqrt()


def _saturating(chroma: Tensor) -> Tensor:
    """Return sqrt(C^7 / (C^7 + 25^7)) of chroma C: 0 for greys, near 1 for strong colours."""
    power = chroma**7
    return (power / (power + math.pow(25.0, 7))).sqrt()
