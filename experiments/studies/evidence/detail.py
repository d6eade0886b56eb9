"""How much detail comes back: octaves of a blurred photograph, thin vessels of a degraded one."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from experiments.studies.evidence.methods import Method
from magenet.degradation import CounterRNG, FundusDegradation
from magenet.degradation.light import from_linear
from magenet.metrics.masks import dilate
from magenet.models.low_pass import low_pass

OCTAVES = ((4, 8), (8, 16), (16, 32))
"""Bands by the shortest and the longest period, in pixels."""

SIGMA = 4.0
"""Sigma of the blur, in pixels."""

NOISE = 0.003
"""Standard deviation of the noise of the blurred photograph: that of a good camera."""

THIN = 3
"""Vessels narrower than this are thin, in pixels of a photograph 1024 px wide."""

LEAST_LOGIT = -1.0
"""Logit from which the judge's segmenter sees a vessel: the best F1 score on clean train
photographs of HRF, 0.88; from 0 on it misses four thin vessels of five even there."""

THIRDS = ("dark", "middle", "light")


def field_band(image: Tensor, mask: Tensor, shortest: float, longest: float) -> Tensor:
    """Return what of the green in the field has periods between two lengths.

    The local mean inside the field is subtracted first. Otherwise the step at the rim, of the whole
    brightness, would ring far into the field: 0.03 of the brightness in the band of vessels, as
    much as the noise that is measured there.

    Args:
        image: `(B, 3, S, S)`.
        mask: Its field of view, `(B, 1, S, S)`.
        shortest: Length, in pixels.
        longest: Length, in pixels.
    """
    green = image[:, 1:2] * mask
    level = low_pass(green, longest) / low_pass(mask, longest).clamp(min=1e-3)
    return band((green - level) * mask, shortest, longest)


def band(image: Tensor, shortest: float, longest: float) -> Tensor:
    """Return what of `(B, C, S, S)` has periods between two lengths, in pixels."""
    side = image.shape[-1]
    frequency = torch.fft.fftfreq(side)[:, None].square()
    radius = (frequency + torch.fft.rfftfreq(side)[None].square()).sqrt()
    inside = (radius >= 1 / longest) & (radius < 1 / shortest)
    found: Tensor = torch.fft.irfft2(torch.fft.rfft2(image) * inside, s=(side, side))
    return found


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Return photographs blurred in linear light."""
    side = image.shape[-1]
    squares = torch.fft.fftfreq(side)[:, None].square() + torch.fft.rfftfreq(side)[None].square()
    transfer = torch.exp(-2 * (math.pi * sigma) ** 2 * squares)
    return from_linear(torch.fft.irfft2(torch.fft.rfft2(image.square()) * transfer, s=(side, side)))


def octave_scores(enhance: Method, clean: Tensor, mask: Tensor) -> dict[str, float]:
    """Return the share of each octave's contrast after a blur: 1 is all of it.

    The share is the regression of the result's octave on the clean one's, in green, inside the
    field: noise and inventions do not count. The rim is left out.

    Args:
        enhance: The method.
        clean: A good photograph, `(1, 3, S, S)`.
        mask: Its field of view, `(1, 1, S, S)`.
    """
    result = enhance(softened(clean, mask, SIGMA), mask)
    return {
        f"octave of {octave[1]} to {octave[0]} px": restored_share(result, clean, mask, octave)
        for octave in OCTAVES
    }


def fine_scores(enhance: Method, clean: Tensor, mask: Tensor) -> dict[str, float]:
    """Return the share of the finest octave's contrast in a photograph at its full size.

    Beside the method itself: the method at half the size, its change enlarged bicubically, and a
    perfect one likewise, which is as much as any method at half the size can show.

    Args:
        enhance: The method.
        clean: A good photograph 2048 px wide, `(1, 3, S, S)`, S even.
        mask: Its field of view, `(1, 1, S, S)`.
    """
    seen = softened(clean, mask, SIGMA / 2)
    half = [functional.interpolate(image, scale_factor=0.5, mode="area") for image in (clean, seen)]
    inside = (functional.interpolate(mask, scale_factor=0.5, mode="area") >= 1.0).float()

    def enlarged(result: Tensor) -> Tensor:
        """Return the photograph with the change of its half."""
        change = (result - half[1]) * inside
        return seen + functional.interpolate(change, seen.shape[-2:], mode="bicubic")

    results = {
        "": enhance(seen, mask),
        ", at half the size": enlarged(enhance(half[1] * inside, inside)),
        ", perfect at half the size": enlarged(half[0]),
    }
    return {
        f"2048 px, octave of 8 to 4 px{name}": restored_share(result, clean, mask, (4, 8))
        for name, result in results.items()
    }


def softened(clean: Tensor, mask: Tensor, sigma: float) -> Tensor:
    """Return a photograph blurred, with a little noise, in 8 bits."""
    generator = torch.Generator().manual_seed(0)
    noise = NOISE * torch.randn(clean.shape, generator=generator)
    return (255 * (blurred(clean, sigma) + noise).clamp(0, 1)).round() / 255 * mask


def restored_share(result: Tensor, clean: Tensor, mask: Tensor, octave: tuple[int, int]) -> float:
    """Return the regression of the result's octave on the clean one's, in green, off the rim."""
    inside = (~dilate(mask == 0, 24)).float()
    wanted, found = (field_band(image, mask, *octave) * inside for image in (clean, result))
    return float((wanted * found).sum() / wanted.square().sum())


def thin_scores(
    enhance: Method, segment: Method, clean: Tensor, mask: Tensor, vessels: Tensor, key: int
) -> dict[str, float]:
    """Return how well a segmenter finds thin vessels of a degraded photograph.

    Args:
        enhance: The method.
        segment: Function of photographs and masks that returns logits of vessels.
        clean: A good photograph 1024 px wide, `(1, 3, S, S)`.
        mask: Its field of view, `(1, 1, S, S)`.
        vessels: Its vessels by experts, `(1, 1, S, S)`, 0 or 1.
        key: Of the degradation.
    """
    seen = FundusDegradation()(clean.clone(), mask, CounterRNG(torch.tensor([key])))
    seen = (255 * seen).round() / 255
    found = (segment(enhance(seen, mask), mask) > LEAST_LOGIT) & (mask > 0)
    wide = dilate(~dilate(vessels == 0, THIN // 2), THIN // 2)  # an opening
    thin = (vessels > 0) & ~wide & (mask > 0)
    near = dilate(vessels > 0, 1)
    scores = {"thin vessels found": share(found, thin), "found are vessels": share(near, found)}
    for third, inside in zip(THIRDS, thirds(seen, mask), strict=True):
        scores[f"thin vessels found, {third}"] = share(found, thin & inside)
        scores[f"found are vessels, {third}"] = share(near, found & inside)
    return scores


def thirds(seen: Tensor, mask: Tensor) -> Iterator[Tensor]:
    """Yield the darkest, the middle and the lightest third of the field, bool `(1, 1, S, S)`."""
    light = functional.avg_pool2d(seen.mean(dim=1, keepdim=True), 65, 1, 32)
    inside = mask > 0
    low, high = light[inside].quantile(1 / 3), light[inside].quantile(2 / 3)
    yield inside & (light <= low)
    yield inside & (light > low) & (light <= high)
    yield inside & (light > high)


def share(of: Tensor, among: Tensor) -> float:
    """Return which share of the pixels of one mask lie in another; NaN if there are none."""
    return float((of & among).sum() / among.sum()) if bool(among.any()) else math.nan
