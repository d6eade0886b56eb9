"""How an automatic grader would file the photograph."""

from __future__ import annotations

from torch import Tensor

from magenet.evaluation.judge import Batch, NetworkJudge


class QualityJudge(NetworkJudge):
    """Score by a three-class quality grader, so that means are the field's quality scores.

    - `fiqa`: 1 where graded good, else 0; the mean is the share graded good.
    - `wfqa`: 2 for good, 1 for usable, 0 for reject; the mean is (2 good + usable) / N.

    A grader knows legibility, not truth: a result may please it and be wrong.

    Args:
        network: Gives logits `(B, 3)` for good, usable and reject.
        checkpoint: Of the task that trained it; as it stands if null.
    """

    how = "train it first ('make quality-grader')"

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`."""
        grade = self.seen(image).argmax(dim=1)
        return {"fiqa": (grade == 0).float(), "wfqa": (2 - grade).float()}
