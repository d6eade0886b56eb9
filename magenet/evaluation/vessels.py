"""What a vessel segmenter still finds after enhancement, against the true vessels."""

from __future__ import annotations

from torch import Tensor

from magenet.evaluation.judge import Batch, NetworkJudge, where
from magenet.metrics import vessel_scores


class VesselJudge(NetworkJudge):
    """Score the vessels that a segmenter, which never saw a degraded photograph, finds.

    `vessel_balanced_accuracy` is what published tables of this field call AUC; see
    :func:`magenet.metrics.vessel_scores`. The segmenter must be another than the one that a
    network learnt structure from, or the network is judged by its teacher.

    Args:
        network: Gives vessel logits, `(B, 1, H, W)`.
        checkpoint: Of the task that trained it; as it stands if null.
    """

    how = "train it first ('make judges')"

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`."""
        if "mask_vessel" not in batch:
            return {}
        probability = self.seen(image).sigmoid()
        scores = vessel_scores(probability, batch["mask_vessel"], batch["mask_fov"])
        known = batch["vessel_known"].bool()
        return where(known, {f"vessel_{name}": value for name, value in scores.items()})
