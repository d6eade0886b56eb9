"""Enhancement by the double-pass fundus reflection model: DPFR, and MUTE after it.

Light passes the lens twice, to the retina and back. A photograph is the retina under uneven light,
behind a scattering lens: `I = L ((R - 1) T^2 + 1)`. Removing the light is removing haze from the
negative; removing the scatter is removing haze twice.
"""

from __future__ import annotations

import math

import torch
from kornia.color import rgb_to_ycbcr, ycbcr_to_rgb
from kornia.filters import guided_blur
from torch import Tensor

from magenet.models.information import noise_level
from magenet.models.peers.classical import CLAHE, Classical, blurred
from magenet.models.peers.dark_channel import dark_channel

PATCH = 0.01
"""Side of the patches over the photograph's longer side (our choice; the authors use 7 pixels)."""

GUIDE_RADIUS = 15 / 7
"""Radius of the guided filter over the patch's side (the authors: 15 pixels beside 7)."""

GUIDE_VARIANCE = 1e-3
LEAST_TRANSMISSION = 0.1


def transmission(plane: Tensor, field: Tensor, omega: float) -> Tensor:
    """Return the transmission in front of white light, `(B, 1, H, W)`, by the dark channel prior.

    Args:
        plane: `(B, C, H, W)` in [0, 1].
        field: Field of view, bool `(B, 1, H, W)`.
        omega: Share of the haze that is removed.
    """
    side = 2 * max(1, round(PATCH * max(plane.shape[-2:]) / 2.0 - 0.5)) + 1
    coarse = 1.0 - omega * dark_channel(plane, field, side)
    radius = max(1, round(GUIDE_RADIUS * side))
    grey = plane.mean(dim=1, keepdim=True)
    both = torch.cat([grey, coarse.masked_fill(~field, 0.0)], dim=1)
    both = torch.where(field, both, blurred(both, field, radius / 2.0))
    refined: Tensor = guided_blur(
        both[:, :1], both[:, 1:], 2 * radius + 1, GUIDE_VARIANCE, border_type="replicate",
        separable=True,
    )  # fmt: skip
    return refined.clamp(LEAST_TRANSMISSION, 1.0)


def evenly_lit(plane: Tensor, field: Tensor, omega: float) -> Tensor:
    """Return planes without their uneven light: haze is removed from the negative.

    Args:
        plane: `(B, C, H, W)` in [0, 1].
        field: Field of view, bool `(B, 1, H, W)`.
        omega: Share of the unevenness that is removed.
    """
    return plane / transmission(1.0 - plane, field, omega)


class DPFR(Classical):
    """Double-pass fundus reflection model: even light, less scatter, then CLAHE of the lightness.

    Args:
        illumination: Share of the unevenness that is removed; 0.95 as published.
        scatter: Share of the scatter that is removed; 0.55 as published.

    Example:
        >>> DPFR()(torch.rand(1, 3, 45, 33)).image.shape
        torch.Size([1, 3, 45, 33])

    References:
        Zhang et al., "A double-pass fundus reflection model for efficient single retinal image
        enhancement", Signal Processing 192, 2022. Written from the equations; the sizes scale with
        the photograph.
    """

    def __init__(self, illumination: float = 0.95, scatter: float = 0.55) -> None:
        super().__init__()
        self.illumination = illumination
        self.scatter = scatter
        self.equalise = CLAHE()

    def enhance(self, image: Tensor, field: Tensor) -> Tensor:
        """Return the photograph under even light and without scatter."""
        image = torch.where(field, image, blurred(image, field, max(image.shape[-2:]) / 20))
        even = evenly_lit(image, field, self.illumination).clamp(0.0, 1.0)
        through = transmission(even, field, self.scatter)
        clear = (even - 1.0) / through.square() + 1.0
        return self.equalise.enhance(clear.clamp(0.0, 1.0), field)


LEAST_LIGHT = 0.01
OVEREXPOSED = 0.02
"""Share of the field that the even light may overexpose (as published)."""

WANTED_LEVEL = 0.52
"""Level after the haze is removed, relative to that before (as published)."""

LEVELS = 5
NEAR_ENOUGH = 0.015
"""Squared difference from the wanted level at which the search ends (as published)."""

STEP, MOST_STEPS, DENOISING_STEPS = 0.01, 500, 65


class MUTE(Classical):
    """MUTE-like: even light, haze removed by a transmission of several scales, then denoised.

    All on luma; colours are kept. The haze is what makes the photograph a mean level too bright
    and its gradients small: its transmission is a weighted sum of smoothed photographs, and the
    weights are found by gradient descent for each photograph.

    Deviations: gradients by automatic differentiation; total variation, weighted by the noise,
    instead of the published L0 gradient prior in the denoising; sizes scale with the photograph.

    Example:
        >>> MUTE()(torch.rand(1, 3, 45, 33)).image.shape
        torch.Size([1, 3, 45, 33])

    References:
        Zhang et al., "MUTE: a multilevel-stimulated denoising strategy for single cataractous
        retinal image dehazing", Medical Image Analysis 88, 2023.
    """

    def enhance(self, image: Tensor, field: Tensor) -> Tensor:
        """Return the photographs with the luma of clear ones, each searched for by itself."""
        pairs = zip(image, field, strict=True)
        return torch.cat([self._enhanced(one[None], inside[None]) for one, inside in pairs])

    def _enhanced(self, image: Tensor, field: Tensor) -> Tensor:
        """Return one photograph with the luma of a clear one, `(1, 3, H, W)`."""
        ycbcr = rgb_to_ycbcr(image)
        luma = self._evenly_lit(ycbcr[:, :1], field)
        with torch.inference_mode(False), torch.enable_grad():
            # Clones: tensors of an inference mode take no part in automatic differentiation.
            through = self._through(luma.clone(), field.clone())
            clear = self._denoised(luma.clone(), through, field.clone())
        enhanced: Tensor = ycbcr_to_rgb(torch.cat([clear, ycbcr[:, 1:]], dim=1))
        return enhanced

    def _evenly_lit(self, luma: Tensor, field: Tensor) -> Tensor:
        """Return luma under even light: retinex, then the double-pass model's correction."""
        sigma = max(luma.shape[-2:]) / 20
        smooth = blurred(luma, field, sigma)
        ratio = (luma + LEAST_LIGHT) / (smooth + LEAST_LIGHT)
        low, high = _range(ratio, field)
        bottom, top = _range(luma, field)
        flat = bottom + (top - bottom) * (ratio - low) / (high - low).clamp(min=1e-6)
        least, most = 0.9, 1.0
        for _ in range(8):  # the share of overexposed pixels grows with the omega
            omega = (least + most) / 2
            even = evenly_lit(flat.clamp(0.0, 1.0), field, omega)
            if float(((even > 1.0) & field).sum() / field.sum().clamp(min=1)) > OVEREXPOSED:
                most = omega
            else:
                least = omega
        return evenly_lit(flat.clamp(0.0, 1.0), field, least).clamp(0.0, 1.0)

    def _through(self, luma: Tensor, field: Tensor) -> Tensor:
        """Return the transmission of the haze, `(B, 1, H, W)`."""
        widest = max(luma.shape[-2:]) / 20
        layers = [blurred(luma, field, max(0.5, widest / 2**k)) for k in range(LEVELS, 0, -1)]
        share = torch.full((len(luma), 1, 1, 1), 0.1, device=luma.device, requires_grad=True)
        weights = torch.zeros(LEVELS - 1, *luma.shape, device=luma.device, requires_grad=True)
        optimizer = torch.optim.NAdam([share, weights], lr=STEP)
        wanted = WANTED_LEVEL * _level(luma, field)

        def transmitted() -> Tensor:
            """Return the transmission by the present weights."""
            coarse = torch.stack(layers[1:]) * weights.sigmoid() / (LEVELS - 1)
            return (1.0 - share * (layers[0] + coarse.sum(dim=0))).clamp(min=LEAST_TRANSMISSION)

        for _ in range(MOST_STEPS):
            clear = (luma - 1.0) / transmitted().square() + 1.0
            away = (_level(clear, field) - wanted).square()
            if float(away.detach().max()) < NEAR_ENOUGH:
                break
            optimizer.zero_grad()
            (away.sum() - _roughness(clear, field, squared=True)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return transmitted().detach()

    def _denoised(self, luma: Tensor, through: Tensor, field: Tensor) -> Tensor:
        """Return what would look like `luma` behind the haze, with little total variation."""
        clear = ((luma - 1.0) / through.square() + 1.0).detach().requires_grad_(True)
        noise = float((noise_level(luma.expand(-1, 3, -1, -1)) * field).sum() / field.sum())
        optimizer = torch.optim.Adam([clear], lr=STEP)
        for _ in range(DENOISING_STEPS):
            hazy = (clear - 1.0) * through.square() + 1.0
            fidelity = ((hazy - luma).square() * field).sum() / field.sum()
            optimizer.zero_grad()
            loss = fidelity + noise * _roughness(clear, field, squared=False)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return clear.detach()


def _range(plane: Tensor, field: Tensor) -> tuple[Tensor, Tensor]:
    """Return the least and the greatest value inside the field, `(B, 1, 1, 1)` each."""
    low = plane.masked_fill(~field, math.inf).amin(dim=(1, 2, 3), keepdim=True)
    return low, plane.masked_fill(~field, -math.inf).amax(dim=(1, 2, 3), keepdim=True)


def _level(plane: Tensor, field: Tensor) -> Tensor:
    """Return the mean inside the field, `(B, 1, 1, 1)`."""
    area = field.sum(dim=(1, 2, 3), keepdim=True).clamp(min=1)
    return (plane * field).sum(dim=(1, 2, 3), keepdim=True) / area


def _roughness(plane: Tensor, field: Tensor, squared: bool) -> Tensor:
    """Return the mean squared or absolute difference of neighbours inside the field."""
    total = plane.new_zeros(())
    for axis in (-1, -2):
        inside = field.narrow(axis, 1, field.shape[axis] - 1)
        inside = inside & field.narrow(axis, 0, field.shape[axis] - 1)
        difference = plane.diff(dim=axis) * inside
        total = total + (difference.square() if squared else difference.abs()).sum()
    return total / field.sum().clamp(min=1)
