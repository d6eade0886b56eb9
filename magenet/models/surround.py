"""The black surround of a photograph, filled, so that its step to the field is no detail."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

BLACK = 2 / 255
"""Brightest channel up to which a pixel counts as surround: two grey levels. The darkest parts of a
field are brighter; on photographs of three cameras 0 and ten grey levels give the same."""

RIM = 2
"""Width of the rim that counts as surround, in pixels (our choice): light falls off within a few
pixels there. Of 0, 2 and 4, chosen on blurred val photographs."""

FIELD_SHARE = 0.95
"""Share of field around a pixel from which it counts as field: a single black pixel is no rim."""

HALVINGS = 6
"""How often the photograph is halved: the fill reaches 2^6 px beyond the rim, further than any
band of detail, and is the mean colour of the field there."""

LEAST_SHARE = 1e-3
"""Share of the field around a place up to which the mean colour fills it."""


def surround_filled(image: Tensor) -> Tensor:
    """Return photographs whose surround, and its rim, continues the field's colours.

    The step from the field to the black surround is ten times as high as a vessel is deep. Bands of
    a Laplacian pyramid ring from it, up to 64 px into the field, and drown what they hold there.

    Args:
        image: `(B, 3, H, W)` in [0, 1], black outside the field.

    Returns:
        The same inside the field but for its rim of 2 px, and smooth there and beyond.

    References:
        Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4.2: pull and push.
    """
    with torch.autocast(image.device.type, enabled=False):
        bright = (image.amax(dim=1, keepdim=True) > BLACK).to(image.dtype)
        # In one channel of its own: beside others, in channels-last, pooling is slow.
        share = functional.avg_pool2d(
            bright.contiguous(), 2 * RIM + 1, 1, RIM, count_include_pad=False
        )
        inside = (share > FIELD_SHARE).to(image.dtype)
        known = [(image * inside).contiguous()]
        weights = [inside]
        for _ in range(HALVINGS):
            known.append(functional.avg_pool2d(known[-1], 2, ceil_mode=True))
            weights.append(functional.avg_pool2d(weights[-1], 2, ceil_mode=True))
        area = weights[-1].sum(dim=(2, 3), keepdim=True).clamp(min=LEAST_SHARE)
        mean = known[-1].sum(dim=(2, 3), keepdim=True) / area
        filled = (known[-1] + LEAST_SHARE * mean) / (weights[-1] + LEAST_SHARE)
        for finer, weight in zip(known[-2::-1], weights[-2::-1], strict=True):
            size = [finer.shape[-2], finer.shape[-1]]
            coarse = functional.interpolate(filled, size, mode="bilinear")
            filled = finer + (1.0 - weight) * coarse
        return filled
