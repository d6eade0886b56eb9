"""Judge by the optic disc, or its cup, that a segmenter finds."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from data_modules.batch import AnyBatch, Batch, unenhanced
from magenet.evaluation.judge import NetworkJudge, nan_where_unknown, started
from magenet.metrics import disc_shift, masked_dice


class DiscJudge(NetworkJudge):
    """Judge by the segmented optic disc: its Dice, and the position of its centre.

    Distances are in disc diameters: `disc_shift` from the reference disc's centre, `disc_moved`
    from the centre of the disc segmented in the input, which is the effect of the enhancement
    alone.

    Args:
        network: Segmenter that returns logits of the structure, `(B, 1, H, W)`.
        checkpoint: Checkpoint of the task that trained it; the network is used as it is if null.
        structure: `disc`; or `cup`, of which only the overlap is scored, `cup_dice`.
    """

    advice = "train it first ('make judges')"

    input_disc: Tensor | None = None
    """Discs segmented in the unenhanced photographs of the batch."""

    def __init__(
        self,
        network: nn.Module,
        checkpoint: str | None = None,
        structure: Literal["disc", "cup"] = "disc",
    ) -> None:
        super().__init__(network, checkpoint)
        self.structure = structure

    def start_batch(self, batch: Batch) -> None:
        """Segment the discs of the unenhanced photographs; see :meth:`Judge.start_batch`."""
        moves = self.structure == "disc" and "mask_disc" in batch
        self.input_disc = self.logits(unenhanced(batch)) > 0 if moves else None

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`.

        Raises:
            RuntimeError: If :meth:`start_batch` was not called before.
        """
        given: AnyBatch = dict(batch)
        if f"mask_{self.structure}" not in given:
            return {}
        found = self.logits(image) > 0
        reference, mask = given[f"mask_{self.structure}"], batch["mask_fov"]
        scores = {f"{self.structure}_dice": masked_dice(found.float(), reference, mask)}
        if self.structure == "disc":
            scores |= {
                "disc_shift": disc_shift(reference >= 0.5, found),
                "disc_moved": disc_shift(started(self.input_disc), found),
            }
        return nan_where_unknown(given[f"{self.structure}_known"].bool(), scores)
