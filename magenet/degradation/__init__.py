"""What spoils a photograph: one factor per file, one pipeline that composes them."""

from magenet.degradation.draws import Draws, name_key
from magenet.degradation.pipeline import TYPES, Degradation, code

__all__ = ["TYPES", "Degradation", "Draws", "code", "name_key"]
