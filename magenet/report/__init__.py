"""Result tables and pictures."""

from magenet.report.pictures import BeforeAfterPictures, sheet

__all__ = ["BeforeAfterPictures", "sheet"]
