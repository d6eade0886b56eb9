"""Verdict on an enhanced photograph: `ok`, `check` or `abstain`, with reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from magenet.enhancement.vessel_evidence import LEAST_COLOUR, LEAST_LENGTH, VesselEvidence
from magenet.imaging.field_of_view import LEAST_CONFIDENCE

VERDICTS = ("ok", "check", "abstain")
"""Use it; look at it before use; do not use it. A verdict as a number is an index of these."""

FIDELITY_LIMITS = {
    "vessel_lost": (0.10, 0.25),
    "colour_change": (12.0, 25.0),
}
"""Scores of :func:`magenet.metrics.fidelity` above which the verdict is `check`, and `abstain` (our
choice, not derived from patients). New vessels do not make a result unusable: the poorer the
photograph, the more of them are recovered, and nothing here separates these from invented ones."""

MOST_NEW_VESSELS = 2.0
"""Length of new vessels, relative to the length found before, above which the verdict is `check`:
most vessels of the result then have no counterpart to be compared with (our choice)."""

ERROR_LIMITS = (12.0, 16.0)
"""Expected mean error, in grey levels of 255, above which the verdict is `check`, and `abstain`
(our choice; how well it predicts large errors: `experiments/results/uncertainty.md`)."""

HARM_LIMITS = (0.25, 0.5)
"""Expected share of the field that is made worse above which the verdict is `check`, and
`abstain`: above one half the photograph is better as it was (our choice; how well it predicts harm:
`experiments/results/uncertainty.md`)."""


def fidelity_verdict(scores: Mapping[str, Tensor]) -> Tensor:
    """Return the verdict that :data:`FIDELITY_LIMITS` give, an index of :data:`VERDICTS`.

    Args:
        scores: What :func:`magenet.metrics.fidelity` returns, `(B,)` each.

    Returns:
        float `(B,)`; at least 1 (`check`) where no vessel was found before the enhancement.
    """
    verdict = scores["vessel_lost"].isnan().float()
    for name, limits in FIDELITY_LIMITS.items():
        exceeded = torch.stack([scores[name] > limit for limit in limits]).sum(dim=0)
        verdict = torch.maximum(verdict, exceeded.float())
    return verdict


def decide_verdict(
    scores: Mapping[str, Tensor],
    expected_error: float,
    harmed_share: float,
    field_confidence: float,
    evidence: VesselEvidence,
) -> tuple[str, tuple[str, ...]]:
    """Return the verdict on a result, and the reasons why it is not `ok`.

    Args:
        scores: Fidelity scores of one photograph, `(1,)` each.
        expected_error: Mean expected error, in grey levels of 255; NaN where it is unknown.
        harmed_share: Expected share of the field that is made worse; NaN where it is unknown.
        field_confidence: Confidence of the field of view, 0 to 1.
        evidence: Whether the vessels of the unenhanced photograph are vessels.
    """
    verdict = int(fidelity_verdict(scores))
    reasons = _fidelity_reasons({name: float(score) for name, score in scores.items()})
    if expected_error > ERROR_LIMITS[0]:
        exceeded = max(limit for limit in ERROR_LIMITS if expected_error > limit)
        verdict = max(verdict, 1 + ERROR_LIMITS.index(exceeded))
        shown = shown_above(expected_error, exceeded, 1)
        reasons.append(f"the expected error is {shown:.1f} of 255 grey levels (limit {exceeded:g})")
    if harmed_share > HARM_LIMITS[0]:
        exceeded = max(limit for limit in HARM_LIMITS if harmed_share > limit)
        verdict = max(verdict, 1 + HARM_LIMITS.index(exceeded))
        shown = shown_above(harmed_share, exceeded, 2)
        reasons.append(
            f"{shown:.0%} of the field is expected to be worse than before (limit {exceeded:.0%})"
        )
    new_vessels = float(scores["vessel_invented"])
    if new_vessels > MOST_NEW_VESSELS:
        verdict = max(verdict, 1)
        reasons.append(
            "new vessels (recovered or invented) of "
            f"{shown_above(new_vessels, MOST_NEW_VESSELS, 1):.1f} times the length found before "
            f"(limit {MOST_NEW_VESSELS:g})"
        )
    doubts = _vessel_doubts(evidence)
    if doubts:
        verdict = max(verdict, 1)
        reasons += doubts
    if field_confidence < LEAST_CONFIDENCE:
        verdict = max(verdict, 1)
        shown = math.floor(100 * field_confidence) / 100  # a confidence of 0.799 is below 0.8
        reasons.append(f"the field of view is uncertain (confidence {shown:.2f})")
    return VERDICTS[verdict], tuple(reasons)


def shown_above(value: float, limit: float, digits: int) -> float:
    """Return a value that is above a limit, rounded, but not shown at the limit.

    Args:
        value: Any score.
        limit: What it is above.
        digits: Decimals that are shown.

    Example:
        >>> shown_above(12.04, 12.0, 1), shown_above(15.12, 12.0, 1)
        (12.1, 15.1)
    """
    return max(round(value, digits), round(limit + 10.0**-digits, digits))


def _fidelity_reasons(scores: Mapping[str, float]) -> list[str]:
    """Return which limits of fidelity are exceeded."""
    texts = {
        "vessel_lost": ("{:.0%} of the vessel length is gone (limit {:.0%})", 2),
        "colour_change": ("colours change by {:.0f} (mean CIEDE2000, limit {:g})", 0),
    }
    reasons = []
    for name, (text, digits) in texts.items():
        if exceeded := [limit for limit in FIDELITY_LIMITS[name] if scores[name] > limit]:
            shown = shown_above(scores[name], exceeded[-1], digits)
            reasons.append(text.format(shown, exceeded[-1]))
    return reasons


def _vessel_doubts(evidence: VesselEvidence) -> list[str]:
    """Return why what was found in the unenhanced photograph may not be vessels."""
    if evidence.length == 0:
        return ["no vessels can be seen in the unenhanced photograph"]
    doubts = []
    if evidence.length < LEAST_LENGTH:
        doubts.append(
            "hardly any vessels can be seen in the unenhanced photograph (the longest: "
            f"{evidence.length:.2f} of the width)"
        )
    if not evidence.colour >= LEAST_COLOUR:  # also if it is NaN
        doubts.append("its vessels do not have the colour of blood: grey, or no retina")
    return doubts
