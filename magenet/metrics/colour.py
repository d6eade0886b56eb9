"""How far colour and brightness are from those of another photograph."""

from __future__ import annotations

import math

import torch
from kornia.color import rgb_to_lab
from torch import Tensor

from magenet.metrics.full_reference import check_photographs


def colour_difference(image: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
    """Return each photograph's mean CIEDE2000 inside the field.

    About 1 is the least that an eye sees side by side. Colours are taken as sRGB under D65.

    Args:
        image: `(B, 3, H, W)` in [0, 1].
        reference: Same shape.
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.

    Returns:
        `(B,)`, 0 (alike) to some 100.

    Raises:
        ValueError: If a field is empty or shapes differ.

    Example:
        >>> black, mask = torch.zeros(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
        >>> round(float(colour_difference(torch.ones(1, 3, 8, 8), black, mask)), 1)
        100.0
    """
    check_photographs(image, reference, mask)
    distance = ciede2000(rgb_to_lab(image.float()), rgb_to_lab(reference.float()))[:, None]
    return (distance * mask).sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3))


def brightness_drift(image: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
    """Return how much lighter each photograph is than its reference: mean L* less mean L*.

    Args:
        image: `(B, 3, H, W)` in [0, 1].
        reference: Same shape.
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.

    Returns:
        `(B,)` in L* units, -100 to 100; negative is darker, 0 is best.

    Raises:
        ValueError: If a field is empty or shapes differ.

    Example:
        >>> black, mask = torch.zeros(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
        >>> round(float(brightness_drift(black, torch.ones(1, 3, 8, 8), mask)), 1)
        -100.0
    """
    check_photographs(image, reference, mask)
    lighter: Tensor = rgb_to_lab(image.float())[:, :1] - rgb_to_lab(reference.float())[:, :1]
    return (lighter * mask).sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3))


def ciede2000(lab: Tensor, other: Tensor) -> Tensor:
    """Return the colour difference CIEDE2000 of CIELAB colours, with kL = kC = kH = 1.

    Args:
        lab: `(B, 3, ...)`: L* in [0, 100], a* and b* about -128 to 127.
        other: Same shape.

    Returns:
        `(B, ...)`, at least 0, in the type of the colours.

    References:
        Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula: implementation notes,
        supplementary test data, and mathematical observations", 2005, equations 2 to 22.

    Example:
        >>> one, other = torch.tensor([[50.0, 2.5, 0.0]]), torch.tensor([[73.0, 25.0, -18.0]])
        >>> round(float(ciede2000(one, other)), 2)
        27.15
    """
    (light_1, red_1, yellow_1), (light_2, red_2, yellow_2) = lab.unbind(1), other.unbind(1)
    # Greys are stretched along a*, before chroma and hue are taken.
    mean = (torch.hypot(red_1, yellow_1) + torch.hypot(red_2, yellow_2)) / 2
    stretch = 1.5 - 0.5 * _saturating(mean)
    chroma_1 = torch.hypot(stretch * red_1, yellow_1)
    chroma_2 = torch.hypot(stretch * red_2, yellow_2)
    hue_1 = torch.atan2(yellow_1, stretch * red_1).rad2deg() % 360
    hue_2 = torch.atan2(yellow_2, stretch * red_2).rad2deg() % 360

    # A grey has no hue, and needs no case of its own: whatever it is counts by chroma 0 below.
    far = (hue_1 - hue_2).abs() > 180  # the short way leads over 0 degrees
    turn = hue_2 - hue_1
    turn = torch.where(far, turn - 360 * turn.sign(), turn)
    total = hue_1 + hue_2
    hue = torch.where(far, (total + 360) / 2 % 360, total / 2)
    light, chroma = (light_1 + light_2) / 2, (chroma_1 + chroma_2) / 2

    off_middle = (light - 50).square()
    scale_light = 1 + 0.015 * off_middle / (20 + off_middle).sqrt()
    scale_chroma = 1 + 0.045 * chroma
    uneven = (
        1
        - 0.17 * (hue - 30).deg2rad().cos()
        + 0.24 * (2 * hue).deg2rad().cos()
        + 0.32 * (3 * hue + 6).deg2rad().cos()
        - 0.20 * (4 * hue - 63).deg2rad().cos()
    )
    scale_hue = 1 + 0.015 * chroma * uneven
    blue = 30 * torch.exp(-((hue - 275) / 25).square())
    rotation = -2 * _saturating(chroma) * (2 * blue).deg2rad().sin()

    by_light = (light_2 - light_1) / scale_light
    by_chroma = (chroma_2 - chroma_1) / scale_chroma
    by_hue = 2 * (chroma_1 * chroma_2).sqrt() * (turn / 2).deg2rad().sin() / scale_hue
    squared = by_light.square() + by_chroma.square() + by_hue.square()
    return (squared + rotation * by_chroma * by_hue).clamp(min=0.0).sqrt()


def _saturating(chroma: Tensor) -> Tensor:
    """Return what rises from 0 at grey to 1 at strong colours, with its middle near 25."""
    power = chroma**7
    return (power / (power + math.pow(25.0, 7))).sqrt()
