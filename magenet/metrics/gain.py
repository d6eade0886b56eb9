"""What an enhancement adds to its input: detail and contrast, as ratios."""

from __future__ import annotations

import torch
from torch import Tensor

from magenet.metrics.appearance import appearance
from magenet.metrics.full_reference import check_photographs
from magenet.metrics.mean import MeanPerImage

FINE = ("sharpness_1", "sharpness_2")
"""The bands that count as fine: finer than a blur of 2 px in a field 512 wide (our choice)."""

LEAST_CONTRAST = 1e-5
"""Floor of luminance's deviation, as :func:`appearance` has it for detail: flat gains 1."""


def strength(image: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Return how strong each photograph's fine detail and its contrast are.

    Args:
        image: `(B, 3, S, S)` in [0, 1], the square around the field.
        mask: Field of view, `(B, 1, S, S)`, 0 or 1.

    Returns:
        `detail` and `contrast`, `(B,)` each: what the gains are ratios of.
    """
    seen = appearance(image, mask)
    # Bands hardly overlap, so that their squares add up.
    detail = torch.stack([100 ** seen[band] for band in FINE]).sum(dim=0).sqrt()
    return {"detail": detail, "contrast": seen["contrast"].clamp(min=LEAST_CONTRAST)}


def detail_gain(image: Tensor, original: Tensor, mask: Tensor) -> Tensor:
    """Return how many times stronger each photograph's fine detail is than its original's.

    Noise and ringing are detail too: read it beside a score against a clean photograph. Below
    256 px the fine bands are finer than a pixel, and little is left to compare.

    Args:
        image: The result, `(B, 3, S, S)` in [0, 1], the square around the field.
        original: What it was made from, same shape.
        mask: Field of view, `(B, 1, S, S)`, 0 or 1.

    Returns:
        `(B,)`, above 0; 1 is no change.

    Raises:
        ValueError: If a field is empty or shapes differ.

    Example:
        >>> original, mask = 0.5 * torch.rand(1, 3, 128, 128), torch.ones(1, 1, 128, 128)
        >>> round(float(detail_gain(2 * original, original, mask)), 3)
        2.0
    """
    check_photographs(image, original, mask)
    return strength(image, mask)["detail"] / strength(original, mask)["detail"]


def contrast_gain(image: Tensor, original: Tensor, mask: Tensor) -> Tensor:
    """Return how many times wider each photograph's luminance spreads than its original's.

    Uneven light is contrast too, so that removing it can lower this.

    Args:
        image: The result, `(B, 3, S, S)` in [0, 1], the square around the field.
        original: What it was made from, same shape.
        mask: Field of view, `(B, 1, S, S)`, 0 or 1.

    Returns:
        `(B,)`, above 0; 1 is no change.

    Raises:
        ValueError: If a field is empty or shapes differ.

    Example:
        >>> original, mask = 0.5 * torch.rand(1, 3, 128, 128), torch.ones(1, 1, 128, 128)
        >>> round(float(contrast_gain(2 * original, original, mask)), 3)
        2.0
    """
    check_photographs(image, original, mask)
    return strength(image, mask)["contrast"] / strength(original, mask)["contrast"]


class DetailGain(MeanPerImage):
    """Average :func:`detail_gain` over photographs; arguments are torchmetrics' own."""

    higher_is_better = None

    def update(self, image: Tensor, original: Tensor, mask: Tensor) -> None:
        """Add a batch; see :func:`detail_gain`."""
        self.add(detail_gain(image, original, mask))


class ContrastGain(MeanPerImage):
    """Average :func:`contrast_gain` over photographs; arguments are torchmetrics' own."""

    higher_is_better = None

    def update(self, image: Tensor, original: Tensor, mask: Tensor) -> None:
        """Add a batch; see :func:`contrast_gain`."""
        self.add(contrast_gain(image, original, mask))
