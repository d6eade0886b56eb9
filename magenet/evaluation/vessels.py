"""Judge by the vessels that a segmenter finds, against the reference vessels."""

from __future__ import annotations

from torch import Tensor

from data_modules.batch import Batch
from magenet.evaluation.judge import NetworkJudge, nan_where_unknown
from magenet.metrics import vessel_scores


class VesselJudge(NetworkJudge):
    """Judge by the vessels that a segmenter trained without degraded photographs finds.

    `vessel_balanced_accuracy` is what published tables of this field call AUC; see
    :func:`magenet.metrics.vessel_scores`. Do not use the segmenter that made the network's
    structure target: the network was trained to satisfy it.

    Args:
        network: Segmenter that returns vessel logits, `(B, 1, H, W)`.
        checkpoint: Checkpoint of the task that trained it; the network is used as it is if null.
    """

    advice = "train it first ('make judges')"

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`."""
        if "mask_vessel" not in batch:
            return {}
        probability = self.logits(image).sigmoid()
        scores = vessel_scores(probability, batch["mask_vessel"], batch["mask_fov"])
        known = batch["vessel_known"].bool()
        return nan_where_unknown(known, {f"vessel_{name}": value for name, value in scores.items()})
