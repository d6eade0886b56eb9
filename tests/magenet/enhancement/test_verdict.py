"""What the reasons of a verdict say."""

import pytest
import torch

from magenet.enhancement.verdict import decide_verdict
from magenet.imaging.field_of_view import LEAST_CONFIDENCE

GOOD = {name: torch.zeros(1) for name in ("vessel_lost", "colour_change", "vessel_invented")}


@pytest.mark.parametrize(
    ("confidence", "shown"), [(0.7999, "0.79"), (0.797, "0.79"), (0.5, "0.50"), (0.0, "0.00")]
)
def test_an_uncertain_field_is_never_shown_at_the_limit(confidence: float, shown: str) -> None:
    verdict, reasons = decide_verdict(GOOD, 0.0, confidence)
    assert verdict == "check"
    assert reasons == (f"the field of view is uncertain (confidence {shown})",)
    assert float(shown) < LEAST_CONFIDENCE
    assert decide_verdict(GOOD, 0.0, LEAST_CONFIDENCE) == ("ok", ())
