"""Whether lesions are as visible as before."""

from __future__ import annotations

from torch import Tensor

from magenet.evaluation.judge import Batch, Judge, taken, where
from magenet.metrics import detectability, lesion_contrast, preservation

KINDS = {"microaneurysm": True, "haemorrhage": True, "hard_exudate": False, "soft_exudate": False}
"""Kinds of lesion in the order of the planes of `mask_lesions`, and whether they are dark."""


class LesionJudge(Judge):
    """Score the contrast and the detectability of each kind of lesion against its surround.

    `<kind>_preserved` is what is left of the input's detectability, 1 if all of it. Compare the
    others with the clean photograph: above it is a lesion made more of than there is.
    """

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`: `<kind>_contrast, _detectability, _preserved`."""
        if "mask_lesions" not in batch:
            return {}
        every = batch["mask_lesions"] > 0
        scores = {}
        for place, (kind, dark) in enumerate(KINDS.items()):
            own, mask = every[:, place : place + 1], batch["mask_fov"]
            others = every.any(dim=1, keepdim=True) & ~own
            mask = mask * ~others
            scores[f"{kind}_contrast"] = lesion_contrast(image, own, mask)
            before, after = (detectability(x, own, mask, dark=dark) for x in (taken(batch), image))
            scores[f"{kind}_detectability"] = after
            scores[f"{kind}_preserved"] = preservation(before, after, chance=0.5)
        return where(batch["lesions_known"].bool(), scores)
