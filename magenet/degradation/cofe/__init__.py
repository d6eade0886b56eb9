"""cofe-Net's degradation, as it was released: to compare with published numbers."""

from magenet.degradation.cofe.recipe import TYPES, CofeDegradation, code

__all__ = ["TYPES", "CofeDegradation", "code"]
