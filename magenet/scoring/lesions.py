"""Whether lesions are as visible as before."""

from __future__ import annotations

from torch import Tensor

from magenet.metrics import detectability, lesion_contrast
from magenet.scoring.judge import Batch, Judge, where

KINDS = {"microaneurysm": True, "haemorrhage": True, "hard_exudate": False, "soft_exudate": False}
"""Kinds of lesion in the order of the planes of `mask_lesions`, and whether they are dark."""


class LesionJudge(Judge):
    """Score the contrast and the detectability of each kind of lesion against its surround.

    Compare with the clean photograph: above it is a lesion made more of than there is.
    """

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`: `<kind>_contrast` and `<kind>_detectability`."""
        if "mask_lesions" not in batch:
            return {}
        every = batch["mask_lesions"] > 0
        scores = {}
        for place, (kind, dark) in enumerate(KINDS.items()):
            own, mask = every[:, place : place + 1], batch["mask_fov"]
            others = every.any(dim=1, keepdim=True) & ~own
            mask = mask * ~others
            scores[f"{kind}_contrast"] = lesion_contrast(image, own, mask)
            scores[f"{kind}_detectability"] = detectability(image, own, mask, dark=dark)
        return where(batch["lesions_known"].bool(), scores)
