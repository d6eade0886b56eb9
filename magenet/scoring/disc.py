"""Whether the optic disc is still found, and in its place."""

from __future__ import annotations

from torch import Tensor

from magenet.metrics import disc_shift, masked_dice
from magenet.scoring.judge import Batch, NetworkJudge, where


class DiscJudge(NetworkJudge):
    """Score the optic disc that a segmenter finds: Dice, and the shift of its centre.

    Args:
        network: Gives disc logits, `(B, 1, H, W)`.
        checkpoint: Of the task that trained it; as it stands if null.
    """

    how = "train it first ('make judges')"

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`; `disc_shift` is in disc diameters."""
        if "mask_disc" not in batch:
            return {}
        found = (self.seen(image) > 0).float()
        truth, mask = batch["mask_disc"], batch["mask_fov"]
        scores = {
            "disc_dice": masked_dice(found, truth, mask),
            "disc_shift": disc_shift(truth >= 0.5, found > 0),
        }
        return where(batch["disc_known"].bool(), scores)
