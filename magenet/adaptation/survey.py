"""Survey: how much the released network changes each photograph of a camera."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from data_modules.datasets.manifest import Photograph
from data_modules.datasets.photographs import read_with_field
from data_modules.files.dicom import is_dicom
from data_modules.files.errors import PictureError
from data_modules.files.writing import write_photograph
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.fundus_check import NotAFundusError
from magenet.enhancement.verdict import VERDICTS
from magenet.errors import UserError, printable

MINIMUM_PHOTOGRAPHS = 60
"""Smallest number of photographs of a camera: ten of 60 patients judge on good ones."""


class Surveyed(NamedTuple):
    """A photograph, and what the released network makes of it.

    Attributes:
        photograph: The photograph.
        enhanced: File of its result.
        verdict: On the result, see :class:`magenet.enhancement.enhancer.Report`.
        change: Mean change, in grey levels of 255.
    """

    photograph: Photograph
    enhanced: Path
    verdict: str
    change: float


def survey(
    enhancer: PhotographEnhancer, photographs: list[Photograph], folder: Path, max_memory: int
) -> list[Surveyed]:
    """Return the photographs that the released network can enhance, the best first.

    Those with the verdict `ok` come first, each verdict's least changed ones before the others:
    what holds little to be enhanced, such as a dark photograph, is also changed little.

    Args:
        enhancer: With the released weights.
        photographs: Photographs of the camera.
        folder: Where to write the results, as PNG.
        max_memory: See :func:`data_modules.datasets.photographs.read_with_field`.

    Raises:
        UserError: If fewer than :data:`MINIMUM_PHOTOGRAPHS` are left.
    """
    surveyed = []
    for index, photograph in enumerate(tqdm(photographs, "surveying", unit="photograph")):
        try:
            if is_dicom(photograph.image):
                raise PictureError(
                    f"{photograph.image}: a DICOM file cannot be trained on; save it as PNG"
                )
            image, field, _ = read_with_field(photograph, max_memory)
            result = enhancer(image, field)
            enhanced, report = folder / f"{index}.png", result.report
            write_photograph(result.image, enhanced)
            surveyed.append(Surveyed(photograph, enhanced, report.verdict, report.mean_change))
        except (PictureError, NotAFundusError) as error:
            of_file = "" if isinstance(error, PictureError) else f"{photograph.image}: "
            tqdm.write(f"magenet: left out: {printable(of_file + str(error))}", file=sys.stderr)
    require_enough(len(surveyed), "that can be used")
    return sorted(
        surveyed,
        key=lambda one: (VERDICTS.index(one.verdict), one.change, one.photograph.image),
    )


def require_enough(photographs: int, which: str) -> None:
    """Raise if there are fewer photographs than adapting and judging needs.

    Args:
        photographs: Their number.
        which: What is counted, for the message.

    Raises:
        UserError: If there are fewer than :data:`MINIMUM_PHOTOGRAPHS`.
    """
    if photographs < MINIMUM_PHOTOGRAPHS:
        raise UserError(
            f"photographs {which}: {photographs}; adapting and judging needs "
            f"{MINIMUM_PHOTOGRAPHS} at least that can be used"
        )
