"""One photograph, enhanced: its report, and its pixels before and after."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass

from torch import Tensor

from data_modules.datasets.manifest import Photograph
from data_modules.datasets.photographs import DecodedPhotograph
from data_modules.files.errors import PictureError
from magenet.enhancement.enhancer import EnhancedPhotograph, PhotographEnhancer
from magenet.enhancement.fundus_check import NotAFundusError
from magenet.enhancement.origin import ReportRow

NOT_ENHANCED = ("failed", "refused")
"""Values of `status` of a photograph that has no result."""


@dataclass(frozen=True)
class Options:
    """How photographs are enhanced, by every command.

    Attributes:
        weights: Name of the weights, for the reports.
        strength: Share of the change that is applied, 0 to 1.
        force: Whether to enhance also what does not look like a fundus photograph.
        fast: Whether to restore photographs at half of their side.
    """

    weights: str
    strength: float = 1.0
    force: bool = False
    fast: bool = False


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


def enhance_photograph(
    enhancer: PhotographEnhancer,
    photograph: Photograph,
    decoded: DecodedPhotograph | PictureError,
    options: Options,
) -> Outcome:
    """Enhance one photograph; whatever goes wrong is its outcome, and no exception.

    Args:
        enhancer: What enhances.
        photograph: Which one.
        decoded: Its pixels and field of view, or why they cannot be had.
        options: How.
    """
    start = time.perf_counter()
    row = unfinished(enhancer, photograph, options)
    image, result = None, None
    try:
        if isinstance(decoded, PictureError):
            raise decoded
        image, field, notes = decoded
        row |= {"height": image.shape[-2], "width": image.shape[-1]}
        result = enhancer(image, field, options.strength, options.force, options.fast)
        report = {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in asdict(result.report).items()
        }
        row |= {"status": "enhanced", **report, "reasons": [*result.report.reasons, *notes]}
    except NotAFundusError as error:
        row |= {"status": "refused", "reasons": [f"{photograph.name}: {error}"]}
    except PictureError as error:
        # By its name: reports are handed on, and paths are not.
        row["reasons"] = [str(error).replace(str(photograph.image), photograph.name)]
    except Exception as error:  # of memory, say: one photograph must not cost the others
        row["reasons"] = [f"{photograph.name}: not enhanced ({error})"]
    row["seconds"] = round(time.perf_counter() - start, 2)
    return Outcome(row, image, result)


def unfinished(enhancer: PhotographEnhancer, photograph: Photograph, options: Options) -> ReportRow:
    """Return the report on a photograph before it is enhanced: it has failed until it has not."""
    return {
        "name": photograph.name, "status": "failed", "verdict": "", "reasons": [],
        "weights": options.weights, **settings_of(enhancer, options),
    }  # fmt: skip


def settings_of(enhancer: PhotographEnhancer, options: Options) -> ReportRow:
    """Return what a result depends on besides its photograph, for the report."""
    return {
        "strength": options.strength, "force": options.force, "fast": options.fast,
        **enhancer.hashes,
    }  # fmt: skip
