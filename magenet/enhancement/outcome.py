"""What became of one photograph: its report, and its pixels before and after."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from magenet.enhancement.enhancer import EnhancedPhotograph
from magenet.enhancement.origin import ReportRow


@dataclass(frozen=True)
class Outcome:
    """The outcome of one photograph.

    Attributes:
        row: Its report. `status` is `enhanced`, `refused` (not a fundus photograph), `failed`, or
            `skipped` where an earlier run had enhanced it.
        before: The unenhanced photograph; None where it could not be read, or was skipped.
        result: The enhanced photograph; None where there is none.
    """

    row: ReportRow
    before: Tensor | None = None
    result: EnhancedPhotograph | None = None
