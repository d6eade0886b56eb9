"""Judge by an automatic grader of image quality."""

from __future__ import annotations

from torch import Tensor

from data_modules.batch import Batch
from magenet.evaluation.judge import NetworkJudge


class QualityJudge(NetworkJudge):
    """Judge by a three-class quality grader.

    - `fiqa`: 1 where graded good, else 0; the mean is the share graded good.
    - `wfqa`: 2 for good, 1 for usable, 0 for reject; the mean is (2 good + usable) / N.

    A grader measures legibility, not fidelity: a wrong result may score well.

    Args:
        network: Grader that returns logits `(B, 3)` for good, usable and reject.
        checkpoint: Checkpoint of the task that trained it; the network is used as it is if null.
    """

    advice = "train it first ('make quality-grader')"

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`."""
        grade = self.logits(image).argmax(dim=1)
        return {"fiqa": (grade == 0).float(), "wfqa": (2 - grade).float()}
