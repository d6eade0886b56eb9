"""The one pipeline that composes the factors of degradation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from magenet.degradation.blur import blur
from magenet.degradation.draws import Draws
from magenet.degradation.light import disturb_light
from magenet.degradation.spots import add_spots

TYPES = (
    "illumination",
    "spots",
    "illumination_spots",
    "blur",
    "illumination_blur",
    "spots_blur",
    "illumination_spots_blur",
)
"""The seven types, in the order of cofe-Net's three-bit code blur|spots|illumination, 1 to 7."""


def code(name: str) -> int:
    """Return the three-bit code, 1 to 7, of a type's name.

    Raises:
        ValueError: If there is no such type.
    """
    if name not in TYPES:
        raise ValueError(f"unknown degradation type '{name}'; use some of {', '.join(TYPES)}")
    return TYPES.index(name) + 1


def check(image: Tensor, mask: Tensor) -> None:
    """Refuse what cannot be degraded, before any pixel is touched.

    Args:
        image: Should be float `(B, 3, H, W)` in [0, 1].
        mask: Should be `(B, 1, H, W)`, 0 or 1, with some field in every photograph.

    Raises:
        TypeError: If the photographs are not float.
        ValueError: If a shape or a value is wrong.
    """
    if not image.is_floating_point():
        raise TypeError(f"degradation needs float photographs in [0, 1], got {image.dtype}")
    if image.ndim != 4 or image.shape[1] != 3:
        raise ValueError(f"degradation needs (B, 3, H, W), got {tuple(image.shape)}")
    if mask.shape != (len(image), 1, *image.shape[-2:]):
        raise ValueError(
            f"the mask {tuple(mask.shape)} does not fit the photographs {tuple(image.shape)}"
        )
    low, high = image.aminmax()
    if not (float(low) >= 0.0 and float(high) <= 1.0):  # also false for NaN
        raise ValueError(f"photographs must lie in [0, 1], these reach {low:.3g} to {high:.3g}")
    if not bool(mask.flatten(1).any(dim=1).all()):
        raise ValueError("a photograph has an empty field of view")


class Degradation(nn.Module):
    """Spoil clean photographs as cofe-Net does, batched and on their device.

    Illumination first, then spots, then blur, each clipped to [0, 1]; black outside the field.
    Lengths refer to 512 px and scale with the photograph, which should be the square around the
    field. Computed in fp32, whatever autocast says.

    Args:
        types: The types to draw from, evenly (cofe-Net: all seven).
        strength: How much of the damage is done, 0 to 1; below 1 the result lies between the
            clean and the degraded photograph (our choice, for mild views).

    Raises:
        ValueError: If a type is unknown, none is given, or the strength is out of range.

    References:
        Shen et al., cofe-Net, TMI 2021, and its released offline script.
    """

    def __init__(self, types: Sequence[str] = TYPES, strength: float = 1.0) -> None:
        super().__init__()
        if not types:
            raise ValueError("Degradation needs at least one type")
        if not 0.0 <= strength <= 1.0:
            raise ValueError(f"strength must lie in [0, 1], got {strength}")
        self.codes = [code(name) for name in types]
        self.strength = strength

    def forward(
        self, image: Tensor, mask: Tensor, draws: Draws, codes: Tensor | None = None
    ) -> Tensor:
        """Return degraded photographs.

        Args:
            image: Clean photographs, float `(B, 3, H, W)` in [0, 1].
            mask: Field of view, `(B, 1, H, W)`, 0 or 1.
            draws: Randomness of the batch.
            codes: Types by their code, int64 `(B,)`; 0 or None lets the draws decide.

        Returns:
            `(B, 3, H, W)` in [0, 1], float32.

        Raises:
            TypeError: See :func:`check`.
            ValueError: See :func:`check`.
        """
        check(image, mask)
        with torch.autocast(image.device.type, enabled=False):
            image, mask = image.float(), mask.float()
            every = torch.tensor(self.codes, device=image.device)
            drawn = every[draws.integer("type", 0, len(self.codes) - 1).long()]
            chosen = drawn if codes is None else torch.where(codes > 0, codes, drawn)
            degraded = image * mask
            degraded = _where(
                chosen & 1 > 0,
                degraded,
                lambda part, some: disturb_light(part, mask[some], draws.at(some)),
            )
            degraded = _where(
                chosen & 2 > 0, degraded, lambda part, some: add_spots(part, draws.at(some))
            )
            degraded = _where(
                chosen & 4 > 0, degraded, lambda part, some: blur(part, draws.at(some))
            )
            if self.strength < 1.0:
                degraded = image + self.strength * (degraded - image)
            return degraded * mask


def _where(chosen: Tensor, image: Tensor, spoil: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Return the batch with a factor applied to the chosen samples only: no work for the others."""
    some = chosen.nonzero()[:, 0]
    if len(some) == 0:
        return image
    if len(some) == len(image):
        return spoil(image, some)
    return image.index_copy(0, some, spoil(image[some], some))
