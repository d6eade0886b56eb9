"""Whether an enhanced photograph still shows what the photograph as taken showed."""

from __future__ import annotations

import torch
from torch import Tensor

from magenet.metrics.colour import brightness_drift, colour_difference
from magenet.metrics.skeleton import vessel_length_change

VERDICTS = ("ok", "check", "abstain")
"""What a verdict's number means: use it; look at it first; do not use it."""

FIDELITY_LIMITS = {
    "vessel_lost": (0.10, 0.25),
    "colour_change": (12.0, 25.0),
}
"""From where on a person should check, and from where on the result should not be used. Our
choice, not from patients: they flag, and replace no judgement. New vessels have no limit: the
poorer the photograph, the more of them are recovered, and nothing here tells these from
invented ones."""


def fidelity(
    before: Tensor, after: Tensor, vessels_before: Tensor, vessels_after: Tensor, mask: Tensor
) -> dict[str, Tensor]:
    """Return what changed, and whether that is too much.

    Args:
        before: Photographs as taken, `(B, 3, H, W)` in [0, 1].
        after: The same enhanced.
        vessels_before: Vessels found in the first, `(B, 1, H, W)`; at least 0.5 is inside.
        vessels_after: Vessels found in the second.
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.

    Returns:
        `(B,)` each:

        - `vessel_lost`: share of the length of the vessels before that is gone.
        - `vessel_invented`: length of vessels that were not there, over that of those before. On
          a photograph of low quality some of them are recovered, not invented.
        - `colour_change`: mean CIEDE2000; `brightness_drift`: mean change of lightness L*.
        - `verdict`: a place in :data:`VERDICTS`, by :data:`FIDELITY_LIMITS`; at least `check`
          where no vessel was found before.
    """
    lost, invented = vessel_length_change(vessels_before, vessels_after, mask)
    scores = {
        "vessel_lost": lost,
        "vessel_invented": invented,
        "colour_change": colour_difference(after, before, mask),
    }
    # Where no vessel was found before there is nothing to be lost, and nothing to be sure of.
    verdict = lost.isnan().float()
    for name, limits in FIDELITY_LIMITS.items():
        passed = torch.stack([scores[name] > limit for limit in limits]).sum(dim=0)
        verdict = torch.maximum(verdict, passed.float())
    return scores | {
        "brightness_drift": brightness_drift(after, before, mask),
        "verdict": verdict,
    }
