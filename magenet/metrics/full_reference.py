"""Full-reference image quality of each photograph, inside the field of view."""

from __future__ import annotations

import math

from kornia.filters import filter2d_separable, get_gaussian_kernel1d
from kornia.metrics import ssim
from torch import Tensor
from torch.nn import functional

from magenet.metrics.masks import mean_inside

PSNR_CAP = 60.0
"""Upper limit of PSNR in dB, which identical photographs score; 8-bit rounding alone gives 59."""

SSIM_WINDOW = 11
"""Side of the Gaussian window in pixels, sigma 1.5 (Wang et al. 2004)."""

MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponent of each scale, finest first (Wang et al. 2003, section 3.2)."""

MS_SSIM_SIDE = SSIM_WINDOW * 2 ** (len(MS_SSIM_WEIGHTS) - 1)
"""Side of the coarsest scale's window in full-resolution pixels: 176."""


def masked_psnr(image: Tensor, clean: Tensor, mask: Tensor) -> Tensor:
    """Return each photograph's peak signal-to-noise ratio inside the field of view.

    Args:
        image: `(B, 3, H, W)` in [0, 1].
        clean: Reference, same shape.
        mask: Field of view, `(B, 1, H, W)`, 0 or 1, none of them empty.

    Returns:
        `(B,)` in dB, at most 60.

    Raises:
        ValueError: If a field is empty or shapes differ.

    Example:
        >>> import torch
        >>> clean = torch.zeros(1, 3, 8, 8)
        >>> round(float(masked_psnr(clean + 0.1, clean, torch.ones(1, 1, 8, 8))), 3)
        20.0
    """
    check_photographs(image, clean, mask)
    squared = mean_inside((image.float() - clean.float()).square(), mask)
    least = math.pow(10.0, -PSNR_CAP / 10)
    return -10.0 * squared.clamp(min=least).log10()


def masked_ssim(image: Tensor, clean: Tensor, mask: Tensor) -> Tensor:
    """Return each photograph's structural similarity, over windows wholly inside the field.

    Args:
        image: `(B, 3, H, W)` in [0, 1].
        clean: Reference, same shape.
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.

    Returns:
        `(B,)` in [-1, 1], mean over pixels and channels.

    Raises:
        ValueError: If a field does not contain a whole window or shapes differ.

    References:
        Wang et al., "Image quality assessment: from error visibility to structural similarity",
        IEEE TIP 2004: 11 px Gaussian window, sigma 1.5, K1 0.01, K2 0.03.
    """
    check_photographs(image, clean, mask)
    inside = windows_inside(mask)
    if not bool(inside.flatten(1).any(dim=1).all()):
        raise ValueError("a field of view is too small for one SSIM window of 11 px")
    return mean_inside(ssim(image.float(), clean.float(), SSIM_WINDOW, 1.0), inside)


def windows_inside(mask: Tensor) -> Tensor:
    """Return the middles of SSIM's windows that lie wholly inside the field of view.

    Args:
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.

    Returns:
        Of the same shape, 0 or 1.
    """
    margin = SSIM_WINDOW // 2
    inside = -functional.max_pool2d(-mask.float(), SSIM_WINDOW, 1, 0)
    return functional.pad(inside, (margin, margin, margin, margin))


def masked_ms_ssim(image: Tensor, clean: Tensor, mask: Tensor) -> Tensor:
    """Return each photograph's multi-scale SSIM, over windows wholly inside the field.

    Contrast and structure are compared at 1, 1/2, 1/4, 1/8 and 1/16 of the size, luminance at 1/16
    alone. A coarse pixel is inside where all the pixels that it averages are, so the coarsest scale
    covers only the centre of the field: a round field must be about 270 px wide to contain one
    window of it.

    Args:
        image: `(B, 3, H, W)` in [0, 1], H and W at least 176.
        clean: Reference, same shape.
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.

    Returns:
        `(B,)` in [0, 1]; each scale is the mean over pixels and channels, and a negative mean
        counts as 0.

    Raises:
        ValueError: If the photograph or a field is too small for five scales or shapes differ.

    References:
        Wang et al., "Multiscale structural similarity for image quality assessment", Asilomar
        2003, equation 7; window and constants as in :func:`masked_ssim`.

    Example:
        >>> import torch
        >>> clean = torch.rand(1, 3, 192, 192)
        >>> round(float(masked_ms_ssim(clean, clean, torch.ones(1, 1, 192, 192))), 4)
        1.0
    """
    check_photographs(image, clean, mask)
    height, width = image.shape[-2:]
    if min(height, width) < MS_SSIM_SIDE:
        raise ValueError(
            f"a photograph of {width}x{height} px is too small for five scales: score it at "
            f"{MS_SSIM_SIDE} px or more, or use masked_ssim"
        )
    image, clean, inside = image.float(), clean.float(), mask.float()
    score = image.new_ones(len(image))
    for weight in MS_SSIM_WEIGHTS:
        whole = -functional.max_pool2d(-inside, SSIM_WINDOW, 1)
        if not bool(whole.flatten(1).any(dim=1).all()):
            raise ValueError(
                f"a field of view is too small for five scales: it contains no square of "
                f"{MS_SSIM_SIDE} px. Score larger photographs, or use masked_ssim"
            )
        luminance, structure = _ssim_terms(image, clean)
        # Deviation: torchmetrics counts windows over reflected borders at the last scale.
        values = luminance * structure if weight == MS_SSIM_WEIGHTS[-1] else structure
        score = score * mean_inside(values, whole).relu() ** weight
        image, clean = functional.avg_pool2d(image, 2), functional.avg_pool2d(clean, 2)
        inside = -functional.max_pool2d(-inside, 2)
    return score


def _ssim_terms(image: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """Return maps of SSIM's luminance and contrast-structure terms, `(B, C, H - 10, W - 10)`."""
    # Our own: neither kornia nor torchmetrics returns a map of the contrast-structure term. Not for
    # masked_ssim: kornia's epsilon counts in black corners and moves `ssim_frame` by 2e-6.
    kernel = get_gaussian_kernel1d(SSIM_WINDOW, 1.5, device=image.device)

    def mean(value: Tensor) -> Tensor:
        result: Tensor = filter2d_separable(value, kernel, kernel, padding="valid")
        return result

    mean_image, mean_clean = mean(image), mean(clean)
    squares = mean_image.square() + mean_clean.square()
    variance = (mean(image.square()) - mean_image.square()).clamp(min=0.0)
    variance = variance + (mean(clean.square()) - mean_clean.square()).clamp(min=0.0)
    covariance = mean(image * clean) - mean_image * mean_clean
    luminance = (2 * mean_image * mean_clean + 0.01**2) / (squares + 0.01**2)
    return luminance, (2 * covariance + 0.03**2) / (variance + 0.03**2)


def check_photographs(image: Tensor, clean: Tensor, mask: Tensor) -> None:
    """Check the shapes of two photographs and their field of view.

    Args:
        image: `(B, C, H, W)`.
        clean: Same shape.
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.

    Raises:
        ValueError: If shapes do not match or a field is empty.
    """
    if image.shape != clean.shape or mask.shape != (len(image), 1, *image.shape[-2:]):
        raise ValueError(
            f"cannot score {tuple(image.shape)} against {tuple(clean.shape)} inside "
            f"{tuple(mask.shape)}"
        )
    if not bool(mask.flatten(1).any(dim=1).all()):
        raise ValueError("a photograph has an empty field of view")
