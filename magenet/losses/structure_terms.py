"""Terms of the retina's structure: the map that a network predicts, and what its result shows."""

from __future__ import annotations

from torch import Tensor

from magenet.losses.structure import StructureLoss
from magenet.losses.term import LossTerm, Restored, in_windows, wholly_inside
from magenet.models.enhancer import resized_to


class StructureTerm(LossTerm):
    """Loss of the structure map where the retina is visible, for networks that predict one.

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
        size, mask = logits.shape[-2:], restored.visible  # elsewhere it would learn to invent
        if size == mask.shape[-2:]:
            wanted = restored.whole_structure
        else:  # the whole eye is seen reduced, and its map is half of that
            twice = [2 * side for side in size]
            seen = [resized_to(batch[key], twice) for key in ("image_clean", "mask_vessel")]
            wanted = restored.structure_target(*seen, batch["vessel_known"])
            wanted = wanted._replace(map=resized_to(wanted.map, size))
        loss: Tensor = self.loss(logits, wanted, wholly_inside(mask, size).to(logits.dtype))
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
            wanted = restored.whole_structure
        else:
            parts = (batch["image_clean"], batch["mask_vessel"])
            clean, vessels = (window.cut(part) for part in parts)
            known = batch["vessel_known"].repeat_interleave(
                len(clean) // len(batch["vessel_known"])
            )
            wanted = restored.structure_target(clean, vessels, known)
        mask = in_windows(batch, restored.visible)  # elsewhere vessels would have to be invented
        field = in_windows(batch, batch["mask_fov"])
        image = (restored.output.image * field).to(memory_format=restored.layout)
        shown = restored.structure_target.read(image)
        loss: Tensor = self.loss(shown, wanted, mask)
        return loss
