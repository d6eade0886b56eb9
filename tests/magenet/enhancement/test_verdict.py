"""What the reasons of a verdict say."""

import pytest
import torch

from magenet.enhancement.verdict import decide_verdict
from magenet.enhancement.vessel_evidence import LEAST_COLOUR, LEAST_LENGTH, VesselEvidence
from magenet.imaging.field_of_view import LEAST_CONFIDENCE

GOOD = {name: torch.zeros(1) for name in ("vessel_lost", "colour_change", "vessel_invented")}
VESSELS = VesselEvidence(LEAST_LENGTH, LEAST_COLOUR)


@pytest.mark.parametrize(
    ("confidence", "shown"), [(0.7999, "0.79"), (0.797, "0.79"), (0.5, "0.50"), (0.0, "0.00")]
)
def test_an_uncertain_field_is_never_shown_at_the_limit(confidence: float, shown: str) -> None:
    verdict, reasons = decide_verdict(GOOD, 0.0, confidence, VESSELS)
    assert verdict == "check"
    assert reasons == (f"the field of view is uncertain (confidence {shown})",)
    assert float(shown) < LEAST_CONFIDENCE
    assert decide_verdict(GOOD, 0.0, LEAST_CONFIDENCE, VESSELS) == ("ok", ())


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (VesselEvidence(0.0, float("nan")), "no vessels can be seen"),
        (VesselEvidence(0.19, LEAST_COLOUR), "hardly any vessels can be seen"),
        (VesselEvidence(LEAST_LENGTH, 0.0), "do not have the colour of blood"),
    ],
)
def test_without_the_evidence_of_vessels_nothing_is_ok(evidence: VesselEvidence, said: str) -> None:
    verdict, (reason,) = decide_verdict(GOOD, 0.0, 1.0, evidence)
    assert verdict == "check"
    assert said in reason
