"""A factor of one's own that does otherwise than it declares is named, and nothing is trained."""

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from magenet.degradation import (
    AddedFactor,
    CounterRNG,
    Factor,
    Frame,
    FundusDegradation,
    Parameter,
    Values,
)
from magenet.errors import UsageError


class Own(Factor):
    """A factor whose mistakes are those of a first try."""

    parameters: ClassVar = {"depth": Parameter("depth", 0, 1)}

    def __init__(self, depth: float = 0.5, key: str = "depth", side: int = 0) -> None:
        self.depth, self.key, self.side = depth, key, side

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        return {self.key: torch.full((len(rng),), self.depth)}

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        return image[..., self.side :]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, ""),
        ({"depth": 3.0}, r"'depth' \(depth\) must lie in \[0, 1\], got 3.0 \(drawn by Own\)"),
        ({"depth": float("nan")}, "must lie in"),
        ({"key": "dephth"}, "factor 'own' needs depth; got dephth"),
        ({"side": 2}, r"factor 'own' returned \(1, 3, 64, 62\) .*, for photographs"),
    ],
)
def test_a_factor_that_does_otherwise_than_it_declares_is_named(
    options: dict[str, Any], told: str
) -> None:
    recipe = FundusDegradation(added={"own": AddedFactor(Own(**options), (1.0, 1.0, 1.0), None)})
    image, mask = torch.full((1, 3, 64, 64), 0.5), torch.ones(1, 1, 64, 64)

    def degrade() -> None:
        for key in range(20):  # mild photographs are spared
            recipe(image, mask, CounterRNG(torch.tensor([key])))

    if not told:
        degrade()
        return
    with pytest.raises(UsageError, match=told):
        degrade()
