"""Result tables and pictures."""

from magenet.report.pictures import BeforeAfterPictures, sheet
from magenet.report.provenance import Provenance

__all__ = ["BeforeAfterPictures", "Provenance", "sheet"]
