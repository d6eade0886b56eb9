"""What spoils a photograph: one factor per file, one pipeline that composes them."""

from magenet.degradation.cofe import TYPES, CofeDegradation, code
from magenet.degradation.counter_rng import Draws
from magenet.degradation.factor import Factor, Parameters, Record
from magenet.degradation.fundus import PRESETS, FundusDegradation
from magenet.degradation.mixture import EitherDegradation
from magenet.degradation.pipeline import Degradation

__all__ = [
    "PRESETS", "TYPES", "CofeDegradation", "Degradation", "Draws", "EitherDegradation", "Factor",
    "FundusDegradation", "Parameters", "Record", "code",
]  # fmt: skip
