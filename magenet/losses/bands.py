"""Loss of light and detail: gradients of one order from every band of a Laplacian pyramid."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from magenet.losses.masked import masked_mean
from magenet.metrics.masks import mean_inside
from magenet.models import EnhancerOutput
from magenet.models.pyramid import CONTRAST_STRIDE, GREEN, bands, neighbourhood_mean
from magenet.models.surround import surround_filled
from magenet.models.window import Window

LIGHT_EPSILON = 2e-4
"""Difference at which the loss of light turns from quadratic to linear (our choice)."""

DETAIL_EPSILON = 1e-2
"""The same for a band. Vessels that a blur took away differ by less, and are to weigh more than the
noise around them; edges of burnt-out places differ by more, and are not to weigh most."""

SLIGHT = 2e-4
"""Smooth absolute error of a band below which a photograph's detail counts less (our choice): that
of differences of half a grey level. Good photographs have less, and nothing to win."""

ERROR_BLOCK = 8
"""Side of the blocks whose mean error is predicted, in pixels."""

GAINS = (0.1, 8.0)
"""Range of the gains that are taught; the detail stage gives no greater one."""

LEAST_POWER = 1e-8
"""Added to the power of a band: of a fortieth of a grey level."""

LEAST_ERROR = 1e-3
"""Added to the errors that the network tells, in [0, 1], a quarter of a grey level: so photographs
without an error do not ask for ever smaller ones."""


class BandLoss(nn.Module):
    """Loss of an enhancer that restores photographs at their own scale.

    - `light`: absolute error of the estimates of the whole eye, and of what is left of the last
      estimate's error below its bands.
    - `detail`: absolute error of each band of the last estimate, over that of the photograph. So
      each band has a gradient of the same order, where one mean over all pixels sees almost only
      light, and so has each photograph, where one mean over all sees almost only the noisy ones: a
      vessel that a blur took away differs by a tenth of what strong noise does.
    - `gain`: absolute error of the logarithm of the gains that the network tells for the bands of
      the photograph, against those that bring each band closest to the target's, place by place.
      The surround is filled in both: else the step of the rim is all that counts around it, and
      asks for a gain of 1.
    - `error`: negative log-likelihood of Laplace distributions of the errors of the photograph and
      of the last estimate, as far as their scales are concerned: the estimate itself gets no
      gradient from it, so that a place cannot be given up by calling it uncertain (Stirn et al.,
      "Faithful heteroscedastic regression", AISTATS 2023). These errors are distances to the clean
      photograph, also where the target is another: where nothing is known it is uncertain.

    Args:
        levels: Bands of the last estimate.
        detail_weight: Weight of the bands together; 1 for the light. Their gradients then are of
            one order (our choice).
        gain_weight: Weight of the gains (our choice); nothing else teaches what tells them.
        error_weight: Weight of the likelihood (our choice).
    """

    def __init__(
        self,
        levels: int = 4,
        detail_weight: float = 0.03,
        gain_weight: float = 1.0,
        error_weight: float = 0.02,
    ) -> None:
        super().__init__()
        self.levels = levels
        self.detail_weight = detail_weight
        self.gain_weight = gain_weight
        self.error_weight = error_weight

    def forward(
        self,
        output: EnhancerOutput,
        degraded: Tensor,
        target: Tensor,
        mask: Tensor,
        window: Window,
        clean: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the weighted terms, scalars in fp32.

        Args:
            output: Of the network, with its last stage in the windows.
            degraded: What the network saw, `(B, 3, H, W)` in [0, 1].
            target: What it should be, `(B, 3, H, W)` in [0, 1].
            mask: Field of view, `(B, 1, H, W)`, 0 or 1.
            window: The windows of the last stage.
            clean: The clean photographs where they are not the target, `(B, 3, H, W)` in [0, 1].
        """
        with torch.autocast(target.device.type, enabled=False):
            light = target.new_zeros(())
            for estimate in output.stages[:-1]:
                size = estimate.shape[-2:]
                wanted = functional.interpolate(target, size, mode="area")
                inside = (functional.interpolate(mask, size, mode="area") >= 1.0).float()
                light = light + absolute(estimate.float() - wanted, inside, LIGHT_EPSILON)
            inside = window.cut(mask)
            wanted = window.cut(target)
            last, seen = output.stages[-1].float(), window.cut(degraded)
            error, before = (last - wanted) * inside, (seen - wanted) * inside
            *fine, rest = bands(error, self.levels)
            masks = [inside]
            for _ in fine:
                masks.append((functional.avg_pool2d(masks[-1], 2, ceil_mode=True) >= 1.0).float())
            light = light + absolute(rest, masks[-1], LIGHT_EPSILON)
            detail = target.new_zeros(())
            for band, first, part in zip(fine, bands(before, self.levels), masks, strict=False):
                detail = detail + relative(band, first, part, DETAIL_EPSILON)
            terms = {"light": light, "detail": self.detail_weight * detail}
            if output.log_gain is not None:
                gain = window.sample(output.log_gain, CONTRAST_STRIDE)
                given, filled = (surround_filled(image) for image in (degraded, target))
                best = best_log_gain(window.cut(given), window.cut(filled), gain.shape[1])
                known = (functional.avg_pool2d(inside, CONTRAST_STRIDE) >= 1.0).float()
                terms["gain"] = self.gain_weight * masked_mean((gain - best).abs(), known)
            if output.log_error is not None:
                log_scale = window.sample(output.log_error, ERROR_BLOCK)
                truth = wanted if clean is None else window.cut(clean)
                sizes = [(part.detach() - truth).abs().mean(dim=1) for part in (seen, last)]
                size_of_error = functional.avg_pool2d(torch.stack(sizes, dim=1), ERROR_BLOCK)
                known = (functional.avg_pool2d(inside, ERROR_BLOCK) >= 1.0).float()
                scale = LEAST_ERROR + log_scale.exp()  # a clamp would have no gradient below it
                likelihood = size_of_error / scale + scale.log()
                terms["error"] = self.error_weight * masked_mean(likelihood, known)
            return terms


def best_log_gain(image: Tensor, target: Tensor, levels: int) -> Tensor:
    """Return the logarithm of the gain that brings each band of green closest to a target's.

    Least squares over the neighbourhood in which :func:`band_contrast` measures: large where a blur
    left little of the target, small where a band holds noise.

    Args:
        image: `(B, 3, H, W)` in [0, 1].
        target: Likewise.
        levels: Number of bands.

    Returns:
        `(B, levels, H / 16, W / 16)`, within :data:`GAINS`.
    """
    low, high = GAINS
    gains = []
    pyramids = (bands(picture[:, GREEN], levels)[:-1] for picture in (image, target))
    for level, (seen, wanted) in enumerate(zip(*pyramids, strict=True)):
        both, own = (
            neighbourhood_mean(product, level) for product in (seen * wanted, seen.square())
        )
        gains.append((both / (own + LEAST_POWER)).clamp(low, high).log())
    return torch.cat(gains, dim=1)


def absolute(difference: Tensor, mask: Tensor, epsilon: float) -> Tensor:
    """Return the smooth absolute value of differences `(B, C, H, W)`, averaged inside a mask."""
    return masked_mean(smooth_absolute(difference, epsilon), mask)


def relative(difference: Tensor, before: Tensor, mask: Tensor, epsilon: float) -> Tensor:
    """Return the error of each photograph over its error before, averaged over the batch.

    Args:
        difference: Enhanced minus clean, `(B, C, H, W)`.
        before: Unenhanced minus clean, same shape.
        mask: Field of view, `(B, 1, H, W)`.
        epsilon: See :func:`smooth_absolute`.
    """
    first = mean_inside(smooth_absolute(before, epsilon), mask)
    return (mean_inside(smooth_absolute(difference, epsilon), mask) / (first + SLIGHT)).mean()


def smooth_absolute(difference: Tensor, epsilon: float) -> Tensor:
    """Return absolute values of differences, quadratic below `epsilon`."""
    return (difference.square() + epsilon**2).sqrt() - epsilon
