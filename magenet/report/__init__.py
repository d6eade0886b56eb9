"""Result tables, pictures and the page of enhanced photographs."""

from magenet.report.page import Entry, PageWriter
from magenet.report.pictures import BeforeAfterPictures, sheet
from magenet.report.provenance import Provenance

__all__ = ["BeforeAfterPictures", "Entry", "PageWriter", "Provenance", "sheet"]
