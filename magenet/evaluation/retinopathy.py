"""Whether a grader of diabetic retinopathy still sees the disease."""

from __future__ import annotations

from torch import Tensor

from magenet.evaluation.judge import Batch, NetworkJudge, where


class RetinopathyJudge(NetworkJudge):
    """Score the grade that a network gives, against the true one.

    - `dr_correct`: 1 where it is the true grade, else 0; the mean is the accuracy.
    - `dr_error`: grades between both; lower is better.

    Args:
        network: Gives logits `(B, 5)` for grades 0 to 4.
        checkpoint: Of the task that trained it; as it stands if null.
    """

    how = "train it first ('make retinopathy-grader')"

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`."""
        if "dr_grade" not in batch:
            return {}
        truth = batch["dr_grade"]
        error = (self.seen(image).argmax(dim=1) - truth).abs().float()
        return where(truth >= 0, {"dr_correct": (error == 0).float(), "dr_error": error})
