"""A random choice between two recipes, photograph by photograph."""

from __future__ import annotations

import torch
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.pipeline import Degradation


class DegradationMixture(Degradation):
    """Mixture of two recipes: each photograph is degraded by one of them, chosen at random.

    Args:
        first: First recipe.
        second: Second recipe.
        share: Probability of the second recipe, 0 to 1.

    Raises:
        ValueError: If the share is out of range.

    Example:
        >>> from magenet.degradation import CofeDegradation, FundusDegradation
        >>> degrade = DegradationMixture(FundusDegradation(), CofeDegradation(["spots"]), 1.0)
        >>> list(degrade.draw(CounterRNG(torch.tensor([1, 2]))).records()[0])
        ['second.spots']
    """

    def __init__(self, first: Degradation, second: Degradation, share: float = 0.5) -> None:
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"share must lie in [0, 1], got {share}")
        self.recipes = {"first": first, "second": second}
        self.share = share
        super().__init__(
            {
                f"{component}.{name}": factor
                for component, recipe in self.recipes.items()
                for name, factor in recipe.factors.items()
            }
        )

    def choose(self, rng: CounterRNG) -> dict[str, Tensor]:
        """Draw each factor's severity; see :meth:`Degradation.choose`."""
        second = rng.uniform("recipe", 0.0, 1.0) < self.share
        return {
            f"{component}.{name}": torch.where(second == (component == "second"), severity, 0.0)
            for component, recipe in self.recipes.items()
            for name, severity in recipe.choose(rng.fork(component)).items()
        }
