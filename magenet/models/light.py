"""Light: gain and offset of each colour, and how much of them a photograph is to get."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from magenet.models.attention import corrected
from magenet.models.pyramid import GREEN

RETINA_LEVEL = 0.04
"""Brightest channel from which a pixel counts as retina: ten grey levels, above JPEG noise."""

LEAST_LIGHT_GAIN = 0.2
"""Gain of the light below which it counts as this one (our choice): its logarithm is needed."""

STEEPNESS = 8.0
"""Exponent of the ratio of errors in :func:`light_weight`. Inverse variances of independent errors
would give 2; of 2, 3, 4, 6, 8 and 12 this one lost least on degraded photographs for what it gained
on good ones (val)."""

MARGIN_OF_ERROR = 1.3
"""Ratio of the photograph's expected error to that of its estimate at which half is applied."""

COLOUR_SPREAD = 0.2
"""Change of a photograph's mean colour that is taken for its camera's, see :func:`colour_kept`.
Good train photographs of HRF, CHASE_DB1 and HYGD lie 0.12 to 0.15 from the mean of their camera
(medians; a tenth beyond 0.27 to 0.32), those of IDRiD 0.53, and the means of the four cameras 0.2
to 0.6 from theirs. Chosen of 0.1, 0.2 and 0.3 by the distance of val photographs of HYGD to the
colour of its good ones: 0.2 is best for usable ones, 0.3 for good ones, 0.1 for rejected ones.
Degraded photographs of the cameras of the training lose 1.1 to 1.5 dB by it."""

LEAST_MEAN = 0.02
"""Mean of a colour below which it counts as this one: its logarithm is needed."""


def retina(image: Tensor) -> Tensor:
    """Return where photographs `(B, 3, H, W)` show retina, `(B, 1, H, W)`, 0 or 1."""
    return (image.amax(dim=1, keepdim=True) > RETINA_LEVEL).to(image.dtype)


def retina_mean(field: Tensor, image: Tensor) -> Tensor:
    """Return the mean of a coarse field over the retina, `(B, C, 1, 1)`: without the surround.

    Args:
        field: `(B, C, h, w)` over the whole photographs.
        image: The photographs, `(B, 3, H, W)` in [0, 1].
    """
    share = functional.adaptive_avg_pool2d(
        retina(image).to(field.dtype), (field.shape[-2], field.shape[-1])
    )
    area = share.sum(dim=(2, 3), keepdim=True).clamp(min=1e-3)
    return (field * share).sum(dim=(2, 3), keepdim=True) / area


def light_weight(log_error: Tensor) -> Tensor:
    """Return how much of the light to apply, `(B, 1, h, w)` in (0, 1).

    It rises from nothing to all where the expected error of the photograph exceeds that of its
    estimate. So a good photograph is hardly changed, without a rule for the photograph as a whole.

    Args:
        log_error: Of the photograph and of its estimate, `(B, 2, h, w)`.

    Example:
        >>> errors = torch.tensor([0.06, 0.03]).log().view(1, 2, 1, 1)
        >>> [round(float(light_weight(e)), 2) for e in (errors, errors.flip(1))]
        [0.97, 0.0]
    """
    before, after = log_error.chunk(2, dim=1)
    return (STEEPNESS * (before - after - math.log(MARGIN_OF_ERROR))).sigmoid()


def weighted_light(light: Tensor, log_error: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return a share of the light, and the errors that are left.

    Args:
        light: Gain minus 1 and offset of each colour, `(B, 6, h, w)`.
        log_error: Of the photograph and of its estimate, `(B, 2, h, w)`.
        weight: The share, `(B, 1, h, w)`.
    """
    before, after = log_error.exp().chunk(2, dim=1)
    return light * weight, torch.cat([before, torch.lerp(before, after, weight)], dim=1).log()


def colour_kept(light: Tensor, image: Tensor) -> Tensor:
    """Return light that leaves the mean colour of the photographs theirs.

    A single photograph does not tell the colour of its camera from that of a haze in front of it:
    networks pull photographs of other cameras to the colour of their training's. Inside a
    photograph they differ, and such differences are corrected wholly. The mean colour over the
    retina, as logarithms of the means of red, green and blue less the mean of the three, moves by
    what it should, but :data:`COLOUR_SPREAD` less (soft thresholding). The mean brightness is that
    which the light gives.

    Args:
        light: Gain minus 1 and offset of each colour, `(B, 6, h, w)`.
        image: The photographs, `(B, 3, H, W)` in [0, 1].

    Example:
        >>> image, light = torch.full((1, 3, 64, 64), 0.4), torch.zeros(1, 6, 8, 8)
        >>> light[:, 0], light[:, 2] = 0.1, -0.1  # redder by a little
        >>> torch.allclose(colour_kept(light, image), torch.zeros_like(light), atol=1e-4)
        True
    """
    light = light.float()
    reduced = functional.interpolate(image, light.shape[-2:], mode="bilinear", antialias=True)
    before, after = (
        retina_mean(seen.clamp(0.0, 1.0), image).clamp(min=LEAST_MEAN)  # (B, 3, 1, 1)
        for seen in (reduced, corrected(reduced, light))
    )
    brighter = (after / before).log()
    wanted = brighter - brighter.mean(dim=1, keepdim=True)
    size = wanted.norm(dim=1, keepdim=True)
    undone = wanted * (COLOUR_SPREAD / size.clamp(min=COLOUR_SPREAD))
    factor = (-undone).exp()
    factor = factor * after.mean(dim=1, keepdim=True) / (after * factor).mean(dim=1, keepdim=True)
    gain, offset = light.chunk(2, dim=1)
    return torch.cat([(1.0 + gain) * factor - 1.0, offset * factor], dim=1)


def log_light_gain(light: Tensor, like: Tensor) -> Tensor:
    """Return the logarithm of the gain that the light gives green, `(B, 1, h, w)` at a map's size.

    The gains predicted for the bands are those from the photograph to its restoration; this is
    subtracted from them. Where the light already raises contrast the bands need less, and where it
    is held back more: a haze's colour may be uncertain while the contrast that it takes is not.

    Args:
        light: Gain minus 1 and offset of each colour, `(B, 6, H, W)`.
        like: Map of the wanted size, `(B, C, h, w)`.
    """
    gain = (1.0 + light[:, GREEN].float()).clamp(min=LEAST_LIGHT_GAIN).log()
    return functional.interpolate(gain, like.shape[-2:], mode="bilinear", antialias=True)
