"""Terms of the retina's structure: the map that a network predicts, and what its result shows."""

from __future__ import annotations

from torch import Tensor

from magenet.imaging.crop import at_side
from magenet.losses.structure import StructureLoss
from magenet.losses.term import LossTerm, Restored


class StructureTerm(LossTerm):
    """Loss of the structure map, for networks that predict one; nothing for others.

    Args:
        weight: Weight of the term; 0.1 as in cofe-Net's trainer.
    """

    def __init__(self, weight: float = 0.1) -> None:
        super().__init__(weight)
        self.loss = StructureLoss()

    def forward(self, restored: Restored) -> Tensor | None:
        """See :meth:`LossTerm.forward`."""
        logits, batch = restored.output.structure_logits, restored.batch
        if logits is None:
            return None
        side, mask = logits.shape[-1], batch["mask_fov"]
        if restored.window is None:
            wanted = restored.whole_structure
        else:  # the whole eye is seen reduced, and its map is half of that
            seen = [at_side(batch[key], 2 * side) for key in ("image_clean", "mask_vessel")]
            wanted = restored.structure_target(*seen, batch["vessel_known"])
            mask = at_side(mask, side)
        wanted = wanted._replace(map=at_side(wanted.map, side))
        loss: Tensor = self.loss(logits, wanted, (mask >= 1.0).to(logits.dtype))
        return loss


class PreservationTerm(LossTerm):
    """Loss of the structure that the structure target reads off the enhanced photograph.

    Args:
        weight: Weight of the term; our choice, in the sense of structure preservation.
    """

    reads_photographs = True

    def __init__(self, weight: float = 0.1) -> None:
        super().__init__(weight)
        self.loss = StructureLoss()

    def forward(self, restored: Restored) -> Tensor:
        """See :meth:`LossTerm.forward`."""
        batch, window = restored.batch, restored.window
        if window is None:
            wanted, mask = restored.whole_structure, batch["mask_fov"]
        else:
            parts = (batch["image_clean"], batch["mask_vessel"])
            clean, vessels = (window.cut(part) for part in parts)
            known = batch["vessel_known"].repeat_interleave(
                len(clean) // len(batch["vessel_known"])
            )
            wanted = restored.structure_target(clean, vessels, known)
            mask = window.cut(batch["mask_known"])  # elsewhere vessels would have to be invented
        image = restored.output.image.to(memory_format=restored.layout)
        shown = restored.structure_target.read(image)
        loss: Tensor = self.loss(shown, wanted, mask)
        return loss
