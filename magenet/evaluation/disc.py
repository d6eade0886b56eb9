"""Whether the optic disc is still found, and in its place."""

from __future__ import annotations

from torch import Tensor

from magenet.evaluation.judge import Batch, NetworkJudge, taken, where
from magenet.metrics import disc_shift, masked_dice


class DiscJudge(NetworkJudge):
    """Score the optic disc that a segmenter finds: Dice, and where its centre is.

    In disc diameters, `disc_shift` is the distance from the true centre, `disc_moved` that from
    where the segmenter finds it in the input: what the enhancement alone did.

    Args:
        network: Gives disc logits, `(B, 1, H, W)`.
        checkpoint: Of the task that trained it; as it stands if null.
    """

    how = "train it first ('make judges')"
    before: tuple[Tensor, Tensor] | None = None
    """The latest input and its discs: each is compared with several results."""

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`."""
        if "mask_disc" not in batch:
            return {}
        before = taken(batch)
        if self.before is None or self.before[0] is not before:
            self.before = before, self.seen(before) > 0
        found = (self.seen(image) > 0).float()
        truth, mask = batch["mask_disc"], batch["mask_fov"]
        scores = {
            "disc_dice": masked_dice(found, truth, mask),
            "disc_shift": disc_shift(truth >= 0.5, found > 0),
            "disc_moved": disc_shift(self.before[1], found > 0),
        }
        return where(batch["disc_known"].bool(), scores)
