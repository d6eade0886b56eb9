"""Whether an enhanced photograph still shows what the photograph as taken showed."""

from __future__ import annotations

import torch
from torch import Tensor

from magenet.metrics import brightness_drift, colour_difference, vessel_length_change
from magenet.scoring.judge import Batch, NetworkJudge

LIMITS = {
    "vessel_lost": (0.10, 0.25),
    "vessel_invented": (0.20, 0.50),
    "colour_change": (12.0, 25.0),
}
"""From where on a person should check, and from where on the result should not be used. Our
choice, not from patients: they flag, and replace no judgement."""


class FidelityJudge(NetworkJudge):
    """Report on every photograph what changed against the input, and whether that is too much.

    - `vessel_lost`: share of the length of the input's vessels that is gone.
    - `vessel_invented`: length of vessels that the input had not, over that of the input's. On a
      degraded photograph some of them are recovered, not invented; read it under `none`.
    - `colour_change`: mean CIEDE2000; `brightness_drift`: mean change of lightness L*.
    - `verdict`: 0 ok, 1 check, 2 abstain, by :data:`LIMITS`; `abstain`: 1 where it is 2.

    Args:
        network: Gives vessel logits, `(B, 1, H, W)`.
        checkpoint: Of the task that trained it; as it stands if null.
    """

    how = "train it first ('make judges')"
    before: tuple[Tensor, Tensor] | None = None
    """The latest input and its vessels: each is compared with several results."""

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`."""
        mask = batch["mask_fov"]
        before = batch["image_degraded"] if "image_degraded" in batch else batch["image"]
        if self.before is None or self.before[0] is not before:
            self.before = before, (self.seen(before) > 0).float()
        old, new = self.before[1], (self.seen(image) > 0).float()
        lost, invented = vessel_length_change(old, new, mask)
        scores = {
            "vessel_lost": lost,
            "vessel_invented": invented,
            "colour_change": colour_difference(image, before, mask),
        }
        verdict = torch.zeros(len(image), device=image.device)
        for name, limits in LIMITS.items():
            # NaN, where no vessel was found before, passes no limit.
            passed = torch.stack([scores[name] > limit for limit in limits]).sum(dim=0)
            verdict = torch.maximum(verdict, passed.float())
        return scores | {
            "brightness_drift": brightness_drift(image, before, mask),
            "verdict": verdict,
            "abstain": (verdict == 2).float(),
        }
