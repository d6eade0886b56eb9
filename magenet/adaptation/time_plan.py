"""How long adapting to a camera takes, told before it begins."""

from __future__ import annotations

import math
import statistics
import time
from typing import NamedTuple

from data_modules.datasets.manifest import Photograph
from data_modules.datasets.photographs import read_with_field
from data_modules.files.dicom import is_dicom
from data_modules.files.errors import PictureError
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.fundus_check import NotAFundusError
from magenet.errors import UsageError
from magenet.plain_names import duration

STEP = 0.85
"""Time of a training step, over that of enhancing a photograph: 0.63 on HYGD, 0.84 on IDRiD, with
the released weights on photographs of 1000 px, as the next ones, on a processor without fast bf16.
"""

SURVEY, JUDGING = 1.2, 1.9
"""Time of the survey, which writes the results, and of the judgement for each of all photographs.
That of the judgement was 1.7 on IDRiD, where a sixth of them judge as clean ones.
"""

TIMED = 3
"""Photographs by which the time is told before the survey (our choice)."""

LEAST_STEPS = 50
"""Least number of steps that are worth a judgement (our choice)."""

MOST_MINUTES = 100_000
"""Greatest time that may be given: ten weeks."""


class TimePlan(NamedTuple):
    """What adapting takes.

    Attributes:
        survey: Seconds of the survey.
        training: Seconds of the training.
        judging: Seconds of the judgement.
        steps: Optimizer steps that there is time for.
    """

    survey: float
    training: float
    judging: float
    steps: int

    @property
    def seconds(self) -> float:
        """Return the time of all parts."""
        return self.survey + self.training + self.judging

    def end(self, begun: float, minutes: float) -> float:
        """Return when the training is to end, so that the judgement ends in time.

        Args:
            begun: When it began, in seconds since 1970.
            minutes: Greatest time of all parts.
        """
        return begun + 60 * minutes - self.judging


def seconds_each(
    enhancer: PhotographEnhancer, photographs: list[Photograph], max_memory: int
) -> float:
    """Return the seconds that enhancing one photograph takes.

    Args:
        enhancer: With the released weights.
        photographs: Photographs of the camera.
        max_memory: See :func:`data_modules.datasets.photographs.read_with_field`.

    Returns:
        The mean of the first :data:`TIMED` that can be enhanced; 0 if none can, of which the survey
        tells the reasons.
    """
    seconds: list[float] = []
    for photograph in photographs:
        try:
            if is_dicom(photograph.image):
                continue
            image, field, _ = read_with_field(photograph, max_memory)
            if not seconds:
                enhancer(image, field)  # the first call also chooses the precision
            start = time.perf_counter()
            enhancer(image, field)
            seconds.append(time.perf_counter() - start)
        except (PictureError, NotAFundusError):
            continue
        if len(seconds) == TIMED:
            break
    return statistics.fmean(seconds) if seconds else 0.0


def plan(photographs: int, each: float, steps: int, minutes: float) -> TimePlan:
    """Return what each part takes.

    Args:
        photographs: Their number.
        each: Seconds that enhancing one of them takes, see :func:`seconds_each`.
        steps: Greatest number of optimizer steps.
        minutes: Greatest time of all parts.

    Raises:
        UsageError: If the time is not enough for :data:`LEAST_STEPS` or all steps.
    """
    survey, judging = photographs * SURVEY * each, photographs * JUDGING * each
    step, least = STEP * each, min(steps, LEAST_STEPS)
    left = 60 * minutes - survey - judging
    if left < least * step:
        needed = (survey + judging + least * step) / 60
        raise UsageError(
            f"--minutes {minutes:g}: looking at {photographs} photographs and judging takes "
            f"{duration(survey + judging)} on this machine, which leaves too little to train: give "
            f"--minutes {math.ceil(needed)}, or fewer photographs"
        )
    steps = min(steps, int(left / step)) if step else steps
    return TimePlan(survey, steps * step, judging, steps)
