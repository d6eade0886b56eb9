"""Deprecated: provenance and before/after pictures are in :mod:`magenet.callbacks`."""

from __future__ import annotations

from magenet.deprecation import moved

NAMES = ("BeforeAfterPictures", "Provenance")

__getattr__ = moved(__name__, {name: f"magenet.callbacks.{name}" for name in NAMES})
