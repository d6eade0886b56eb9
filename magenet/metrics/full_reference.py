"""Scores against a clean photograph, per photograph and inside the field of view."""

from __future__ import annotations

import math

from kornia.metrics import ssim
from torch import Tensor
from torch.nn import functional

from magenet.metrics.mean import MeanPerImage

PSNR_CAP = 60.0
"""Greatest PSNR, in dB: rounding to 8 bit alone costs 59 dB. Identical photographs score this."""

SSIM_WINDOW = 11
"""Side of the Gaussian window, sigma 1.5 (Wang et al. 2004)."""


def masked_psnr(image: Tensor, clean: Tensor, mask: Tensor) -> Tensor:
    """Return each photograph's PSNR inside the field, in dB, at most 60.

    Args:
        image: `(B, 3, H, W)` in [0, 1].
        clean: Same shape.
        mask: Field of view, `(B, 1, H, W)`, 0 or 1, none of them empty.

    Returns:
        `(B,)`.

    Raises:
        ValueError: If a field is empty or shapes differ.

    Example:
        >>> import torch
        >>> clean = torch.zeros(1, 3, 8, 8)
        >>> round(float(masked_psnr(clean + 0.1, clean, torch.ones(1, 1, 8, 8))), 3)
        20.0
    """
    _check(image, clean, mask)
    area = mask.sum(dim=(1, 2, 3)) * image.shape[1]
    squared = ((image.float() - clean.float()).square() * mask).sum(dim=(1, 2, 3)) / area
    least = math.pow(10.0, -PSNR_CAP / 10)
    return -10.0 * squared.clamp(min=least).log10()


def masked_ssim(image: Tensor, clean: Tensor, mask: Tensor) -> Tensor:
    """Return each photograph's SSIM, over the windows that lie wholly inside the field.

    Args:
        image: `(B, 3, H, W)` in [0, 1].
        clean: Same shape.
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.

    Returns:
        `(B,)`, mean over places and colours.

    Raises:
        ValueError: If a field holds no whole window or shapes differ.

    References:
        Wang et al., "Image quality assessment: from error visibility to structural similarity",
        IEEE TIP 2004: 11 px Gaussian window, sigma 1.5, K1 0.01, K2 0.03.
    """
    _check(image, clean, mask)
    half = SSIM_WINDOW // 2
    inside = -functional.max_pool2d(-mask.float(), SSIM_WINDOW, 1, 0)
    inside = functional.pad(inside, (half, half, half, half))
    if not bool(inside.flatten(1).any(dim=1).all()):
        raise ValueError("a field of view is too small for one SSIM window of 11 px")
    values: Tensor = ssim(image.float(), clean.float(), SSIM_WINDOW, 1.0)
    return (values * inside).sum(dim=(1, 2, 3)) / (inside.sum(dim=(1, 2, 3)) * image.shape[1])


def _check(image: Tensor, clean: Tensor, mask: Tensor) -> None:
    """Raise if shapes do not fit or a field is empty."""
    if image.shape != clean.shape or mask.shape != (len(image), 1, *image.shape[-2:]):
        raise ValueError(
            f"cannot score {tuple(image.shape)} against {tuple(clean.shape)} inside "
            f"{tuple(mask.shape)}"
        )
    if not bool(mask.flatten(1).any(dim=1).all()):
        raise ValueError("a photograph has an empty field of view")


class MaskedPSNR(MeanPerImage):
    """Average :func:`masked_psnr` over photographs; arguments are torchmetrics' own."""

    def update(self, image: Tensor, clean: Tensor, mask: Tensor) -> None:
        """Add a batch; see :func:`masked_psnr`."""
        self.add(masked_psnr(image, clean, mask))


class MaskedSSIM(MeanPerImage):
    """Average :func:`masked_ssim` over photographs; arguments are torchmetrics' own."""

    def update(self, image: Tensor, clean: Tensor, mask: Tensor) -> None:
        """Add a batch; see :func:`masked_ssim`."""
        self.add(masked_ssim(image, clean, mask))
