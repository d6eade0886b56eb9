"""What every enhancement network here takes and returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

VIEWS = ((), (-1,), (-2,), (-2, -1))
"""Axes along which the photograph is flipped for each augmented view; the first is upright."""


def padded_to(image: Tensor, multiple: int) -> Tensor:
    """Return photographs `(B, 3, H, W)` with sides that are multiples, by repeating the border."""
    height, width = image.shape[-2:]
    padding = (0, -width % multiple, 0, -height % multiple)
    return functional.pad(image, padding, mode="replicate") if any(padding) else image


def cut_to(estimate: Tensor, padded: Tensor, height: int, width: int) -> Tensor:
    """Return an estimate at any resolution without the padding of :func:`padded_to`."""
    stride = padded.shape[-1] // estimate.shape[-1]
    return estimate[..., : -(-height // stride), : -(-width // stride)]


def resized_to(picture: Tensor, size: Sequence[int]) -> Tensor:
    """Return pictures `(B, C, H, W)` at another height and width, averaged."""
    if list(picture.shape[-2:]) == list(size):
        return picture
    return functional.interpolate(picture, list(size), mode="bilinear", antialias=True)


TYPICAL = (0.6, 0.3, 0.1)
"""Mean colour inside the field, R, G, B: of HRF, CHASE_DB1 and IDRiD, good, train part, rounded."""

SPREAD = 0.1
"""Standard deviation inside one field, mean of the colours of the same photographs, rounded."""


class Standardise(nn.Module):
    """Standardise colours by constants.

    Subtract the mean colour of fundus photographs, divide by their standard deviation.
    A vessel is a few hundredths darker than its surround. Seen in [0, 1], it stands so little out
    of the common colour that networks without normalisation spend their first thousand steps
    on making it visible to themselves (measured: the structure map is learnt ten times sooner).
    Constants, not the photograph's own statistics: a tile and the whole are seen alike.
    """

    def __init__(self) -> None:
        super().__init__()
        # Three dimensions: laid out as channels-last, four of them overlap in what DDP sends.
        typical = torch.tensor(TYPICAL).view(3, 1, 1)
        self.register_buffer("typical", typical, persistent=False)
        self.typical: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """Return `(B, 3, H, W)`, a typical photograph's colours about 0, from [0, 1]."""
        return (image - self.typical) / SPREAD


class EnhancerOutput(NamedTuple):
    """What an enhancement network returns for a batch of photographs.

    Attributes:
        stages: The estimate of each stage, first to last, on the scale [0, 1] but not clamped, so
            that a loss still sees an overshoot. A stage may work on the photograph averaged
            over s x s pixels: its estimate is `(B, 3, H / s, W / s)`, rounded up. The last one is
            `(B, 3, H, W)`. Never empty.
        structure_logits: Logits of the retinal structure map, `(B, 1, H, W)`, or None for a
            network without a structure preservation module. A network that sees the whole eye
            reduced has a map of half the size at which it sees it, `(B, 1, h, w)`.
        log_error: Natural logarithms of the expected absolute errors of the photograph and of the
            last stage, scales of Laplace distributions less a quarter of a grey level (see
            `magenet.losses.BandLoss`), `(B, 2, h, w)` over the whole photograph; or None.
        light_weight: Share of the light's correction that is in the last stage, `(B, 1, h, w)` in
            [0, 1]; None likewise.
        log_gain: Natural logarithms of the gain that each band of the photograph needs, finest band
            first, `(B, bands, h, w)` over the whole photograph; None likewise.
    """

    stages: tuple[Tensor, ...]
    structure_logits: Tensor | None = None
    log_error: Tensor | None = None
    light_weight: Tensor | None = None
    log_gain: Tensor | None = None

    @property
    def image(self) -> Tensor:
        """Return the enhanced photograph: the last stage in fp32, clamped to [0, 1]."""
        return self.stages[-1].float().clamp(0.0, 1.0)

    @property
    def structure(self) -> Tensor | None:
        """Return the structure map as probabilities in [0, 1], of the logits' size, or None."""
        return None if self.structure_logits is None else self.structure_logits.float().sigmoid()

    def mapped(self, function: Callable[[Tensor], Tensor]) -> EnhancerOutput:
        """Return stages and logits with a function applied to each; the rest is left out."""
        logits = self.structure_logits
        return EnhancerOutput(
            tuple(function(stage) for stage in self.stages),
            None if logits is None else function(logits),
        )


class Enhancer(nn.Module, ABC):
    """Common signature of MAGE-Net and of every method it is compared with."""

    own_scale = False
    """Whether it works on photographs at their own scale: its estimate of the whole eye does not
    depend on how many pixels there are, and it tells its expected error."""

    @abstractmethod
    def forward(self, image: Tensor, mask: Tensor | None = None) -> EnhancerOutput:
        """Enhance a batch of photographs.

        Args:
            image: Photographs, `(B, 3, H, W)`, RGB in [0, 1].
            mask: Field of view, `(B, 1, H, W)`, 0 or 1, for methods that need it; where it is None
                they take the pixels that are not black. The learned networks here do not use it:
                they see photographs that are black outside the field.

        Returns:
            The estimates of all stages and, where there is one, the structure map.
        """

    def __call__(self, image: Tensor, mask: Tensor | None = None, **options: Any) -> EnhancerOutput:
        """Enhance a batch of photographs; see :meth:`forward`."""
        output: EnhancerOutput = super().__call__(image, mask, **options)
        return output

    def forward_memory(self, pixels: int) -> int:
        """Return the bytes that a forward pass over so many pixels takes; 0 if never measured."""
        return 0
