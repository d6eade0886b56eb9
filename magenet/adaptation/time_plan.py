"""How long adapting to a camera takes, told before it begins."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

from data_modules.datasets.manifest import Photograph
from data_modules.datasets.photographs import read_with_field
from data_modules.files.dicom import is_dicom
from data_modules.files.errors import PictureError
from magenet.adaptation.survey import require_enough
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.fundus_check import NotAFundusError
from magenet.errors import UsageError
from magenet.plain_names import duration

STEP = 1.75
"""Time of a training step, over that of enhancing a photograph: measured with the released weights
on photographs of 1000 px, as the next ones."""

SURVEY, CHOOSING, JUDGING = 1.1, 2.5, 1.7
"""Time of the survey and of the judgement for each of all photographs, and of a validation for each
of those that choose."""

VALIDATIONS = 10
"""Validations of a training that is not stopped early (our choice)."""

CHOOSING_SHARE = 1 / 6
"""Share of the photographs that choose when to stop, see
:data:`magenet.adaptation.manifests.ROLES`."""

LEAST_TRAINING = 0.25
"""Least share of the time that is to be left for training (our choice)."""


class TimePlan(NamedTuple):
    """Seconds that each part of adapting takes, and the optimizer steps that there is time for."""

    survey: float
    training: float
    judging: float
    steps: int

    @property
    def seconds(self) -> float:
        """Return the time of all parts."""
        return self.survey + self.training + self.judging


def seconds_each(
    enhancer: PhotographEnhancer, photographs: list[Photograph], max_memory: int
) -> float:
    """Return the seconds that enhancing one photograph takes: the first that can be enhanced.

    Args:
        enhancer: With the released weights.
        photographs: Photographs of the camera.
        max_memory: See :func:`data_modules.datasets.photographs.read_with_field`.

    Raises:
        UserError: If none can be enhanced.
    """
    for photograph in photographs:
        try:
            if is_dicom(photograph.image):
                continue
            image, field, _ = read_with_field(photograph, max_memory)
            enhancer(image, field)  # the first call also chooses the precision
            start = time.perf_counter()
            enhancer(image, field)
            return time.perf_counter() - start
        except (PictureError, NotAFundusError):
            continue
    require_enough(0)
    raise AssertionError("require_enough raises")


def plan(photographs: int, each: float, steps: int, minutes: float) -> TimePlan:
    """Return the time that each part takes.

    Args:
        photographs: Their number.
        each: Seconds that enhancing one of them takes, see :func:`seconds_each`.
        steps: Greatest number of optimizer steps.
        minutes: Greatest time of all parts.

    Raises:
        UsageError: If the other parts leave too little of the time to the training.
    """
    survey, judging = photographs * SURVEY * each, photographs * JUDGING * each
    left = 60 * minutes - survey - judging
    if left < LEAST_TRAINING * 60 * minutes:
        needed = math.ceil((survey + judging) / (1 - LEAST_TRAINING) / 60)
        raise UsageError(
            f"--minutes {minutes:g}: looking at {photographs} photographs and judging takes "
            f"{duration(survey + judging)} on this machine, which leaves too little to train: "
            f"give --minutes {needed}, or fewer photographs"
        )
    validations = VALIDATIONS * CHOOSING_SHARE * photographs * CHOOSING * each
    training = min(left, steps * STEP * each + validations)
    affordable = int((training - validations) / (STEP * each)) if each else steps
    return TimePlan(survey, training, judging, max(1, min(steps, affordable)))
