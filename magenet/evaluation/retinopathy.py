"""Judge by a grader of diabetic retinopathy."""

from __future__ import annotations

from torch import Tensor

from data_modules.batch import Batch
from magenet.evaluation.judge import NetworkJudge, nan_where_unknown


class RetinopathyJudge(NetworkJudge):
    """Judge by the agreement of a network's grade of retinopathy with the label.

    - `dr_correct`: 1 where the grade equals the label, else 0; the mean is the accuracy.
    - `dr_error`: absolute difference of grade and label; lower is better.

    Args:
        network: Grader that returns logits `(B, 5)` for grades 0 to 4.
        checkpoint: Checkpoint of the task that trained it; the network is used as it is if null.
    """

    advice = "train it first ('make retinopathy-grader')"

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`."""
        if "dr_grade" not in batch:
            return {}
        label = batch["dr_grade"]
        error = (self.logits(image).argmax(dim=1) - label).abs().float()
        return nan_where_unknown(
            label >= 0, {"dr_correct": (error == 0).float(), "dr_error": error}
        )
