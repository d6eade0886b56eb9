"""Deprecated: enhancing photographs is in :mod:`magenet.enhancement`."""
