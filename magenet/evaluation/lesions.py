"""Judge of the visibility of lesions."""

from __future__ import annotations

from torch import Tensor

from data_modules.batch import Batch
from magenet.evaluation.judge import Judge, taken, where
from magenet.metrics import detectability, lesion_contrast, preservation

KINDS = {"microaneurysm": True, "haemorrhage": True, "hard_exudate": False, "soft_exudate": False}
"""Kinds of lesion in the order of the channels of `mask_lesions`; True for dark ones."""


class LesionJudge(Judge):
    """Judge of the contrast and detectability of each kind of lesion against its surround.

    `<kind>_preserved` is the share of the input's detectability that is preserved, 1 if all of it.
    Compare the other scores with those of the clean photograph: above them a lesion is exaggerated.
    """

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`: `<kind>_contrast, _detectability, _preserved`."""
        if "mask_lesions" not in batch:
            return {}
        lesions = batch["mask_lesions"] > 0
        scores = {}
        for channel, (kind, dark) in enumerate(KINDS.items()):
            lesion = lesions[:, channel : channel + 1]
            others = lesions.any(dim=1, keepdim=True) & ~lesion
            mask = batch["mask_fov"] * ~others
            scores[f"{kind}_contrast"] = lesion_contrast(image, lesion, mask)
            before, after = (
                detectability(x, lesion, mask, dark=dark) for x in (taken(batch), image)
            )
            scores[f"{kind}_detectability"] = after
            scores[f"{kind}_preserved"] = preservation(before, after, chance=0.5)
        return where(batch["lesions_known"].bool(), scores)
