"""The fundus recipe: degradation as in real photographs, at any size."""

from magenet.degradation.fundus.presets import PRESETS
from magenet.degradation.fundus.recipe import AddedFactor, FundusDegradation

__all__ = ["PRESETS", "AddedFactor", "FundusDegradation"]
