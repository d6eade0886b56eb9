"""cofe-Net's degradation as released, for comparison with published numbers."""

from magenet.degradation.cofe.recipe import TYPES, CofeDegradation, type_code

__all__ = ["TYPES", "CofeDegradation", "type_code"]
