"""Synthetic degradation of fundus photographs: one factor per file, composed by a recipe."""

from magenet.degradation.cofe import TYPES, CofeDegradation, type_code
from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Parameters, Record, Values
from magenet.degradation.frame import Frame
from magenet.degradation.fundus import PRESETS, AddedFactor, FundusDegradation
from magenet.degradation.mixture import DegradationMixture
from magenet.degradation.pipeline import Degradation
from magenet.deprecation import moved

__all__ = [
    "PRESETS", "TYPES", "AddedFactor", "CofeDegradation", "CounterRNG", "Degradation",
    "DegradationMixture", "Factor", "Frame", "FundusDegradation", "Parameter", "Parameters",
    "Record", "Values", "type_code",
]  # fmt: skip

__getattr__ = moved(
    __name__,
    {
        "EitherDegradation": "magenet.degradation.DegradationMixture",
        "code": "magenet.degradation.type_code",
    },
)
