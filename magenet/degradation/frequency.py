"""Blur in the frequency domain: exact for any kernel, at a cost independent of its width."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from magenet.degradation.frame import Frame

GAP = 0.03
"""Zero padding against wrap-around, as a fraction of the side: wider than any blur here."""


def filtered(image: Tensor, frame: Frame, transfer: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Blur photographs inside their field of view: the black surround does not leak in.

    Normalised convolution: the blurred photograph is divided by the blurred mask (Knutsson and
    Westin, CVPR 1993).

    Args:
        image: Linear light, `(B, 3, H, W)` in [0, 1]: optics blur light, not pixel values.
        frame: Frame of the same samples.
        transfer: Returns the kernel's transfer function `(B, h, w)`, 1 at frequency 0, from the
            horizontal frequencies `(B, 1, w)` and the vertical ones `(B, h, 1)`, in cycles per
            field diameter.
    """
    height, width = frame.size
    padded = fast_length(height + int(GAP * height)), fast_length(width + int(GAP * width))
    both = torch.cat([image * frame.mask, frame.mask], dim=1)
    diameter = frame.diameter[:, None, None]
    x = torch.fft.rfftfreq(padded[1], device=image.device)[None, None, :] * diameter
    y = torch.fft.fftfreq(padded[0], device=image.device)[None, :, None] * diameter
    spectrum = torch.fft.rfft2(both, s=padded) * transfer(x, y)[:, None]
    blurred: Tensor = torch.fft.irfft2(spectrum, s=padded)[..., :height, :width]
    return (blurred[:, :3] / blurred[:, 3:].clamp(min=0.05)).clamp_(0.0, 1.0)


def fast_length(length: int) -> int:
    """Return the smallest length from `length` on whose only prime factors are 2, 3 and 5.

    Fast Fourier transforms are fastest at such lengths.

    Example:
        >>> fast_length(527)
        540
    """
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1
