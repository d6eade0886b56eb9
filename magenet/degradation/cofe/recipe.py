"""cofe-Net's degradation as released."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from magenet.degradation.cofe.blur import Blur
from magenet.degradation.cofe.colour import Colour
from magenet.degradation.cofe.halo import Halo
from magenet.degradation.cofe.hole import Hole
from magenet.degradation.cofe.spots import Spots
from magenet.degradation.cofe.variant import Variant
from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Parameters
from magenet.degradation.pipeline import Degradation, check

TYPES = (
    "illumination",
    "spots",
    "illumination_spots",
    "blur",
    "illumination_blur",
    "spots_blur",
    "illumination_spots_blur",
)
"""The seven types, in the order of cofe-Net's three-bit codes blur|spots|illumination, 1 to 7."""

FACTORS = {"colour": 1, "halo": 1, "hole": 1, "spots": 2, "blur": 4}
"""Bit of the code for each factor, in the offline script's order."""

ONLINE_ORDER = ("colour", "spots", "halo", "blur", "hole")


def type_code(name: str) -> int:
    """Return the three-bit code, 1 to 7, of a type.

    Raises:
        ValueError: If the type is unknown.
    """
    if name not in TYPES:
        raise ValueError(f"unknown degradation type '{name}'; choose from {', '.join(TYPES)}")
    return TYPES.index(name) + 1


class CofeDegradation(Degradation):
    """cofe-Net's degradation, quirks included, for comparison with published numbers.

    Each photograph gets one of seven types; illumination is colour, halo and hole. The image is
    clipped to [0, 1] after every factor. Lengths refer to 512 px and scale with the photograph,
    which should be the square around the field: the script itself works at 512 px only.

    Args:
        types: The types, drawn with equal probability (cofe-Net's script: all seven; its training
            code applies all factors to every photograph: `["illumination_spots_blur"]`).
        variant: `offline` (the released script), `online` (the data loader of the released
            training code) or `published` (the nine published parameter files).

    Raises:
        ValueError: If a type or the variant is unknown, or no type is given.

    Example:
        >>> image, mask = torch.full((2, 3, 64, 64), 0.5), torch.ones(2, 1, 64, 64)
        >>> degraded = CofeDegradation(["spots"])(image, mask, CounterRNG(torch.tensor([1, 2])))
        >>> degraded.shape, bool((degraded >= image).all())
        (torch.Size([2, 3, 64, 64]), True)

    References:
        Shen et al., "Modeling and Enhancing Low-Quality Retinal Fundus Images" (cofe-Net), TMI
        2021, its released scripts and its nine published parameter files.
    """

    def __init__(self, types: Sequence[str] = TYPES, variant: Variant = "offline") -> None:
        if isinstance(types, str):
            raise ValueError(
                f"types must be a list of types; to choose a variant use variant='{types}'"
            )
        if not types:
            raise ValueError("CofeDegradation needs at least one type")
        if variant not in ("offline", "online", "published"):
            raise ValueError(f"variant must be offline, online or published, not '{variant}'")
        factors = {
            "colour": Colour(variant),
            "halo": Halo(variant),
            "hole": Hole(variant),
            "spots": Spots(variant),
            "blur": Blur(variant),
        }
        order = ONLINE_ORDER if variant == "online" else tuple(FACTORS)
        super().__init__({name: factors[name] for name in order})
        self.codes = torch.tensor([type_code(name) for name in types])

    def choose(self, rng: CounterRNG, codes: Tensor | None = None) -> dict[str, Tensor]:
        """Return each factor's severity, 1 or 0; see :meth:`Degradation.choose`.

        Args:
            rng: Generator of the batch.
            codes: Codes of the types, int64 `(B,)`, 1 to 7; drawn at random if None.

        Raises:
            ValueError: If a code is not in 1 to 7.
        """
        if codes is None:
            codes = self.codes[rng.integer("type", 0, len(self.codes) - 1).long()]
        codes = codes.cpu()
        if not bool(((codes >= 1) & (codes <= len(TYPES))).all()):
            raise ValueError(f"codes must lie in 1 to {len(TYPES)}, got {codes.tolist()}")
        return {name: (codes & bit > 0).float() for name, bit in FACTORS.items()}

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # graphs begin at the pixels
    def draw(self, rng: CounterRNG, codes: Tensor | None = None) -> Parameters:
        """Draw the parameters of a batch; see :meth:`choose`."""
        return self.draw_chosen(rng, self.choose(rng, codes))

    def __call__(
        self, image: Tensor, mask: Tensor, rng: CounterRNG, codes: Tensor | None = None
    ) -> Tensor:
        """Degrade photographs; see :class:`Degradation` and :meth:`choose`."""
        check(image, mask)
        return self.apply(image, mask, self.draw(rng, codes))
