"""Judge of fidelity: what changed against the unenhanced photograph."""

from __future__ import annotations

from torch import Tensor

from magenet.enhancement.verdict import fidelity_verdict
from magenet.evaluation.judge import Batch, NetworkJudge, taken
from magenet.metrics import fidelity
from magenet.metrics.gain import strength


class FidelityJudge(NetworkJudge):
    """Scores of the change against the input; see :func:`magenet.metrics.fidelity`.

    `brightness_change` is its `brightness_drift`, measured against the input; `detail_gain` and
    `contrast_gain` are ratios of detail and contrast to the input's; `verdict` is the index of
    :func:`magenet.enhancement.verdict.fidelity_verdict` and `abstain` is 1 where it is 2. On a
    degraded photograph some new vessels are recovered, not invented: read `vessel_invented` under
    the condition `none`.

    Args:
        network: Gives vessel logits, `(B, 1, H, W)`.
        checkpoint: Checkpoint of the task that trained it; the network as it is if null.
    """

    how = "train it first ('make judges')"

    def start_batch(self, batch: Batch) -> None:
        """Measure the batch's input once: each subject is compared with it."""
        self.before = taken(batch)
        self.vessels_before = (self.seen(self.before) > 0).float()
        self.strength_before = strength(self.before, batch["mask_fov"])

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`."""
        mask = batch["mask_fov"]
        after = (self.seen(image) > 0).float()
        scores = fidelity(self.before, image, self.vessels_before, after, mask)
        verdict = fidelity_verdict(scores)
        gained, before = strength(image, mask), self.strength_before
        return scores | {
            "verdict": verdict,
            "brightness_change": scores.pop("brightness_drift"),
            "detail_gain": gained["detail"] / before["detail"],
            "contrast_gain": gained["contrast"] / before["contrast"],
            "abstain": (verdict == 2).float(),
        }
