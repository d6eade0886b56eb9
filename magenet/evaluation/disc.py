"""Judge by the optic disc that a segmenter finds."""

from __future__ import annotations

from torch import Tensor

from data_modules.batch import Batch, unenhanced
from magenet.evaluation.judge import NetworkJudge, nan_where_unknown, started
from magenet.metrics import disc_shift, masked_dice


class DiscJudge(NetworkJudge):
    """Judge by the segmented optic disc: its Dice, and the position of its centre.

    Distances are in disc diameters: `disc_shift` from the reference disc's centre, `disc_moved`
    from the centre of the disc segmented in the input, which is the effect of the enhancement
    alone.

    Args:
        network: Segmenter that returns disc logits, `(B, 1, H, W)`.
        checkpoint: Checkpoint of the task that trained it; the network is used as it is if null.
    """

    advice = "train it first ('make judges')"

    input_disc: Tensor | None = None
    """Discs segmented in the unenhanced photographs of the batch."""

    def start_batch(self, batch: Batch) -> None:
        """Segment the discs of the unenhanced photographs; see :meth:`Judge.start_batch`."""
        self.input_disc = self.logits(unenhanced(batch)) > 0 if "mask_disc" in batch else None

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`.

        Raises:
            RuntimeError: If :meth:`start_batch` was not called before.
        """
        if "mask_disc" not in batch:
            return {}
        disc = self.logits(image) > 0
        reference, mask = batch["mask_disc"], batch["mask_fov"]
        scores = {
            "disc_dice": masked_dice(disc.float(), reference, mask),
            "disc_shift": disc_shift(reference >= 0.5, disc),
            "disc_moved": disc_shift(started(self.input_disc), disc),
        }
        return nan_where_unknown(batch["disc_known"].bool(), scores)
