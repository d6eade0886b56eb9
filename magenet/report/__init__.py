"""Result tables, pictures and the page of enhanced photographs.

Lightning's callbacks are imported when they are first asked for: a page needs no Lightning.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from magenet.report.page import Entry, PageWriter

if TYPE_CHECKING:
    from magenet.report.pictures import BeforeAfterPictures, sheet
    from magenet.report.provenance import Provenance

HOMES = {"BeforeAfterPictures": "pictures", "Provenance": "provenance", "sheet": "pictures"}
"""File of each name that is imported late."""

__all__ = ["BeforeAfterPictures", "Entry", "PageWriter", "Provenance", "sheet"]


def __getattr__(name: str) -> object:
    """Import a name from its file."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
    return value
