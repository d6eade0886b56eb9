"""Deprecated: see :mod:`magenet.enhancement.released`."""

from __future__ import annotations

from magenet.deprecation import moved

__getattr__ = moved(__name__, {"ReleasedEnhancer": "magenet.enhancement.released.ReleasedEnhancer"})
