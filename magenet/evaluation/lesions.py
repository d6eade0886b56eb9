"""Judge of the visibility of lesions."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from data_modules.batch import Batch, unenhanced
from data_modules.datasets.photographs import LESIONS
from magenet.evaluation.judge import Judge, nan_where_unknown, started
from magenet.metrics import detectability, lesion_contrast, preservation

DARK = ("microaneurysm", "haemorrhage")
"""Kinds of lesion that are darker than their surround."""


class LesionJudge(Judge):
    """Judge of the contrast and detectability of each kind of lesion against its surround.

    `<kind>_preserved` is the share of the input's detectability that is preserved, 1 if all of it.
    Compare the other scores with those of the clean photograph: above them a lesion is exaggerated.
    """

    input_detectability: dict[str, Tensor] | None = None
    """Detectability of each kind in the unenhanced photographs of the batch."""

    def start_batch(self, batch: Batch) -> None:
        """Measure the unenhanced photographs; see :meth:`Judge.start_batch`."""
        known = "mask_lesions" in batch
        self.input_detectability = _detectabilities(unenhanced(batch), batch) if known else None

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`: `<kind>_contrast, _detectability, _preserved`.

        Raises:
            RuntimeError: If :meth:`start_batch` was not called before.
        """
        if "mask_lesions" not in batch:
            return {}
        before, after = started(self.input_detectability), _detectabilities(image, batch)
        scores = {}
        for kind, lesion, mask in _lesions(batch):
            scores[f"{kind}_contrast"] = lesion_contrast(image, lesion, mask)
            scores[f"{kind}_detectability"] = after[kind]
            scores[f"{kind}_preserved"] = preservation(before[kind], after[kind], chance=0.5)
        return nan_where_unknown(batch["lesions_known"].bool(), scores)


def _lesions(batch: Batch) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield each kind, its lesions, and the field without other lesions, `(B, 1, H, W)` each."""
    lesions = batch["mask_lesions"] > 0
    for channel, kind in enumerate(LESIONS):
        lesion = lesions[:, channel : channel + 1]
        yield kind, lesion, batch["mask_fov"] * ~(lesions.any(dim=1, keepdim=True) & ~lesion)


def _detectabilities(image: Tensor, batch: Batch) -> dict[str, Tensor]:
    """Return the detectability of each kind of lesion in photographs, `(B,)` each."""
    return {
        kind: detectability(image, lesion, mask, dark=kind in DARK)
        for kind, lesion, mask in _lesions(batch)
    }
