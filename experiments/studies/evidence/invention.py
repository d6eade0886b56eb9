"""What is painted where a photograph holds no information: burnt-out discs, haze, shadow, noise."""

from __future__ import annotations

import torch
from kornia.color import rgb_to_grayscale, rgb_to_lab
from torch import Tensor
from torch.nn import functional

from experiments.studies.evidence.detail import field_band
from experiments.studies.evidence.methods import Method
from magenet.degradation.fundus.grain import clumps
from magenet.metrics import ciede2000
from magenet.metrics.masks import dilate

EXPOSURES = (1.0, 2.0, 3.0)
"""Stops by which the disc is overexposed."""

DETAIL = (4.0, 64.0)
"""Periods of what counts as detail, in pixels of 1024: vessels, drusen, mottle."""

HAZE = 0.92
"""Share of the light that is scattered in the hazy third of the field."""

SHADOW = 0.02
"""Share of the linear light that is left in the dark third."""

NOISE = 0.02
"""Standard deviation of the noise over haze and shadow, in [0, 1]."""

GRAIN = 0.004
"""Standard deviation of the grain: one grey level, as in dark places of HYGD."""

DARK = 0.4
"""Brightness of the dark field over that of the other."""


def burnt_scores(enhance: Method, clean: Tensor, mask: Tensor, disc: Tensor) -> dict[str, float]:
    """Return by how much clipped discs change colour, for each exposure.

    Args:
        enhance: The method.
        clean: A good photograph, `(1, 3, S, S)`.
        mask: Its field of view.
        disc: Its optic disc, 0 or 1.
    """
    scores = {}
    soft = functional.avg_pool2d(dilate(disc > 0, 16).float(), 33, 1, 16)
    for stops in EXPOSURES:
        # Light from beside the disc's own pixels is grey: else blue would not clip with the rest.
        light = torch.lerp(clean.square(), rgb_to_grayscale(clean.square()), 0.6 * soft)
        level = light[:, 1:2][disc > 0].mean()
        gain = 1 + (2**stops / level - 1) * soft.square()
        seen = ((light * gain).clamp(0, 1).sqrt() * mask * 255).round() / 255
        burnt = (seen.amin(dim=1, keepdim=True) >= 0.99) & (disc > 0)
        if not bool(burnt.any()):
            continue
        result = enhance(seen, mask)
        change = ciede2000(rgb_to_lab(seen), rgb_to_lab(result))[:, None][burnt]
        redder = (result - seen)[:, :1] - (result - seen)[:, 1:2]
        scores[f"clipped disc, {stops:.0f} stops: CIEDE2000"] = float(change.mean())
        scores[f"clipped disc, {stops:.0f} stops: redder"] = 255 * float(redder[burnt].mean())
    return scores


def blank_scores(enhance: Method, clean: Tensor, mask: Tensor, vessels: Tensor) -> dict[str, float]:
    """Return the energy of detail off the vessels where nothing is seen, over the truth's.

    The left third is hazy, the right third in the dark, both under noise.

    Args:
        enhance: The method.
        clean: A good photograph, `(1, 3, S, S)`.
        mask: Its field of view.
        vessels: Its vessels, 0 or 1.
    """
    generator = torch.Generator().manual_seed(1)
    noise = NOISE * torch.randn(clean.shape, generator=generator)
    across = torch.linspace(0, 1, clean.shape[-1])
    hazy = ((1 / 3 - across) * 20 + 0.5).clamp(0, 1)
    dark = ((across - 2 / 3) * 20 + 0.5).clamp(0, 1)
    light = clean.square()
    veil = light.mean(dim=(2, 3), keepdim=True) * 2
    light = light * (1 - HAZE * hazy) + HAZE * hazy * veil
    light = light * (1 - (1 - SHADOW) * dark)
    seen = (light.clamp(0, 1).sqrt() + noise * (hazy + dark)).clamp(0, 1)
    seen = (255 * seen).round() / 255 * mask
    result = enhance(seen, mask)
    away = ~dilate(vessels > 0, 4) & ~dilate(mask == 0, 24)
    scores = {}
    for name, where in (("haze", hazy), ("shadow", dark)):
        inside = away & (where > 0.99)
        energy = [float(detail(image, mask)[inside].square().mean()) for image in (result, clean)]
        scores[f"{name} over noise: detail over the truth's"] = energy[0] / energy[1]
    return scores


def noise_scores(enhance: Method, side: int = 768) -> dict[str, float]:
    """Return the contrast that noise on a flat field comes back with, over what it had.

    Contrast is the standard deviation over the mean, so that a dark field may be made brighter.
    Noise is white, or in clumps as compression leaves it, which look most like what is small and
    dark in a retina.
    """
    axis = (torch.arange(side) + 0.5) / side - 0.5
    mask = (axis[:, None].square() + axis.square() < 0.25).float()[None, None]
    generator = torch.Generator().manual_seed(2)
    white = NOISE * torch.randn(1, 3, side, side, generator=generator)
    grain = GRAIN * clumps(torch.tensor([2]), white)
    colour = torch.tensor([0.6, 0.3, 0.1]).view(1, 3, 1, 1)
    scores = {}
    for name, field in (
        ("noise on a flat field", colour + white),
        ("grain on a flat field", colour + grain),
        ("grain on a dark field", DARK * colour + grain),
    ):
        seen = (255 * field.clamp(0, 1)).round() / 255 * mask
        result = enhance(seen, mask)
        inside = ~dilate(mask == 0, 24)
        before, after = (
            detail(image, mask)[inside].square().mean().sqrt() / image[:, 1:2][inside].mean()
            for image in (seen, result)
        )
        scores[f"{name}: contrast over what it had"] = float(after / before)
    return scores


def detail(image: Tensor, mask: Tensor) -> Tensor:
    """Return the detail of green, `(1, 1, S, S)`."""
    scale = image.shape[-1] / 1024
    return field_band(image, mask, *(scale * period for period in DETAIL))
