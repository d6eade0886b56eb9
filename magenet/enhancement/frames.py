"""Files of several photographs (multi-frame DICOM): enhanced one by one, judged as one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from torch import Tensor

from data_modules.datasets.photographs import DecodedFrames, DecodedPhotograph
from magenet.enhancement.origin import ReportRow
from magenet.enhancement.outcome import Outcome
from magenet.enhancement.verdict import VERDICTS
from magenet.errors import UserError

OF_A_FRAME = (
    "verdict", "reasons", "field_confidence", "light_share", "expected_error", "harmed_share",
    "mean_change", "colour_change", "brightness_drift", "vessel_lost", "vessel_invented",
)  # fmt: skip
"""Values of a report that each frame has for itself."""


class FrameError(UserError):
    """A frame was not enhanced.

    Args:
        row: Its report, whose `reasons` name the frame.
    """

    def __init__(self, row: ReportRow) -> None:
        super().__init__(row["reasons"][0])
        self.row = row


class EnhancedFrames:
    """Results of the frames of one file; a frame is read and enhanced when its result is asked for.

    Only the frame at hand and the worst one so far are held in memory: iterate once, while the
    results are written, then ask for the :meth:`outcome`.

    Args:
        frames: The frames.
        enhance: What enhances one of them; its outcome is never an exception.
    """

    def __init__(
        self, frames: DecodedFrames, enhance: Callable[[DecodedPhotograph], Outcome]
    ) -> None:
        self.frames = frames
        self.enhance = enhance
        self.worst: Outcome | None = None
        self.worst_number = 0
        self.rows: list[ReportRow] = []

    def __iter__(self) -> Iterator[Tensor]:
        """Yield the result of each frame, `(3, H, W)`.

        Raises:
            FrameError: If one is not enhanced; the file then has no result.
        """
        for number, frame in enumerate(self.frames, start=1):
            outcome = self.enhance(frame)
            del frame
            if outcome.result is None:
                reason, *others = outcome.row["reasons"]
                reasons = [f"{reason} (frame {number} of {len(self.frames)})", *others]
                raise FrameError(outcome.row | {"reasons": reasons})
            self.rows.append({name: outcome.row.get(name) for name in OF_A_FRAME})
            image = outcome.result.image
            if self.worst is None or _badness(outcome.row) > _badness(self.worst.row):
                self.worst, self.worst_number = outcome, number
            del outcome
            yield image
            del image

    def outcome(self) -> Outcome:
        """Return the outcome of the file, once all frames were enhanced: that of its worst frame.

        Its report also says how many frames are not `ok`, and holds the values of every frame, as
        `frames`.
        """
        assert self.worst is not None  # a file has at least one frame
        row = self.worst.row
        not_ok = sum(frame["verdict"] != "ok" for frame in self.rows)
        reasons = [f"frame {self.worst_number}: {reason}" for reason in row["reasons"]]
        if not_ok:
            reasons.append(f"frames that are not 'ok': {not_ok} of {len(self.frames)}")
        # Whoever writes the frames has measured the time of all of them.
        row = row | {"reasons": reasons, "frames": self.rows, "seconds": 0.0}
        return Outcome(row, self.worst.before, self.worst.result)


def _badness(row: ReportRow) -> tuple[int, float]:
    """Return what frames are ordered by: the verdict, then the expected error."""
    error = row.get("expected_error")
    return VERDICTS.index(row["verdict"]), -math.inf if error is None else error
