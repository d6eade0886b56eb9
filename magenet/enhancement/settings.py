"""Settings that belong to a network's weights: how the network is used on photographs."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from typing import Any, Self

from magenet.enhancement.calibration_curve import CalibrationCurve
from magenet.enhancement.fundus_check import FundusCheck
from magenet.errors import UserError
from magenet.models import MAGENet

OWN_SCALE = (512, 2048)
"""Smallest and greatest side at which a network that works at the photograph's own scale sees it,
in pixels: of its training, and a little beyond (our choice)."""


def seen_side(size: int | tuple[int, int] | None, own: int) -> int:
    """Return the side at which a network sees a square around the field, in pixels.

    Args:
        size: See :attr:`Settings.size`.
        own: Side of the square in the photograph, in pixels.

    Example:
        >>> [seen_side((512, 2048), own) for own in (300, 1100, 3000)], seen_side(512, 3000)
        ([512, 1100, 2048], 512)
    """
    if size is None:
        return own
    least, most = (size, size) if isinstance(size, int) else size
    return min(max(own, least), most)


@dataclass(frozen=True)
class Settings:
    """Settings of a network, stored in `config.json` beside its weights under `use`.

    Attributes:
        size: Side of the square around the field that the network sees, in pixels: every eye is
            shown at the scale of the training. Two numbers are the smallest and the greatest: in
            between the network sees the photograph's own scale. None for a method that takes
            photographs of any size.
        fundus_check: Out-of-distribution check of the photographs.
        light: Shrinkage of the change of light and colour: from its RMS to the share of it to
            apply, see :mod:`magenet.enhancement.shrinkage`. None applies all of it.
        uncertainty: Calibration from the uncertainty score to an expected absolute error in
            [0, 1]. None where it was never measured: the expected error is then NaN.
        harm: Calibration from the mean probability of harm to the share of the field that is made
            worse. None likewise, and for networks that do not tell it.
    """

    size: int | tuple[int, int] | None
    fundus_check: FundusCheck
    light: CalibrationCurve | None = None
    uncertainty: CalibrationCurve | None = None
    harm: CalibrationCurve | None = None

    def side(self, own: int, fast: bool = False) -> int:
        """Return the side at which the network sees a square whose side is `own`, in pixels.

        Args:
            own: Side of the square in the photograph, in pixels.
            fast: Whether to show a network that works at the photograph's own scale half of that
                side, but not less than its smallest. Others see every eye at one side.
        """
        side = seen_side(self.size, own)
        return seen_side(self.size, side // 2) if fast and self.size is not None else side

    def sides(self) -> tuple[int, int]:
        """Return the smallest and the greatest side that the network sees, in pixels."""
        return self.side(0), self.side(sys.maxsize)

    @classmethod
    def of(cls, network: MAGENet) -> Self:
        """Return the settings of a network that was loaded with its `config.json`.

        Raises:
            UserError: If `config.json` lacks them.
        """
        use = network.use

        def curve(key: str) -> CalibrationCurve | None:
            return None if use[key] is None else CalibrationCurve(**use[key])

        try:
            return cls(
                _sizes(use["size"]),
                # Its key was `looks` up to release 0.2.1.
                FundusCheck(**use.get("looks") or use["fundus_check"]),
                curve("light"),
                curve("uncertainty"),
                curve("harm") if "harm" in use else None,  # weights of release 0.1 have none
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"the weights' config.json does not say how they are used: {error}; weights come "
                "from `make train-release` or `magenet adapt`"
            ) from None

    def as_config(self) -> dict[str, Any]:
        """Return the settings under the keys of `config.json`."""
        return {
            "size": list(self.size) if isinstance(self.size, tuple) else self.size,
            "light": None if self.light is None else asdict(self.light),
            "uncertainty": None if self.uncertainty is None else asdict(self.uncertainty),
            "harm": None if self.harm is None else asdict(self.harm),
            "fundus_check": asdict(self.fundus_check),
        }


def _sizes(value: Any) -> int | tuple[int, int]:
    """Return the sizes that `config.json` gives.

    Raises:
        ValueError: If they are neither one number nor two, the first at most the second.
        TypeError: Likewise.
    """
    if not isinstance(value, list):
        return int(value)
    if len(value) != 2 or not 0 < int(value[0]) <= int(value[1]):
        raise ValueError(f"size must be one int, or the least and the greatest, not {value}")
    return int(value[0]), int(value[1])
