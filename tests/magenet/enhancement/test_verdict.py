"""Which scores give which verdict, and what its reasons say."""

import pytest
import torch

from magenet.enhancement.verdict import VERDICTS, decide_verdict, fidelity_verdict
from magenet.enhancement.vessel_evidence import LEAST_COLOUR, LEAST_LENGTH, VesselEvidence
from magenet.imaging.field_of_view import LEAST_CONFIDENCE

UNKNOWN = float("nan")
GOOD = {name: torch.zeros(1) for name in ("vessel_lost", "colour_change", "vessel_invented")}
VESSELS = VesselEvidence(LEAST_LENGTH, LEAST_COLOUR)


@pytest.mark.parametrize(
    ("confidence", "shown"), [(0.7999, "0.79"), (0.797, "0.79"), (0.5, "0.50"), (0.0, "0.00")]
)
def test_an_uncertain_field_is_never_shown_at_the_limit(confidence: float, shown: str) -> None:
    verdict, reasons = decide_verdict(GOOD, 0.0, UNKNOWN, confidence, VESSELS)
    assert verdict == "check"
    assert reasons == (f"the field of view is uncertain (confidence {shown})",)
    assert float(shown) < LEAST_CONFIDENCE
    assert decide_verdict(GOOD, 0.0, UNKNOWN, LEAST_CONFIDENCE, VESSELS) == ("ok", ())


def test_an_error_above_the_limit_is_never_shown_at_it() -> None:
    _, (reason,) = decide_verdict(GOOD, 12.001, UNKNOWN, 1.0, VESSELS)
    assert reason == "the expected error is 12.1 of 255 grey levels (limit 12)"


def test_any_other_is_shown_as_the_table_shows_it() -> None:
    _, (reason,) = decide_verdict(GOOD, 15.12, UNKNOWN, 1.0, VESSELS)
    assert reason == "the expected error is 15.1 of 255 grey levels (limit 12)"


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (VesselEvidence(0.0, float("nan")), "no vessels can be seen"),
        (VesselEvidence(0.19, LEAST_COLOUR), "hardly any vessels can be seen"),
        (VesselEvidence(LEAST_LENGTH, 0.0), "do not have the colour of blood"),
    ],
)
def test_without_the_evidence_of_vessels_nothing_is_ok(evidence: VesselEvidence, said: str) -> None:
    verdict, (reason,) = decide_verdict(GOOD, 0.0, UNKNOWN, 1.0, evidence)
    assert verdict == "check"
    assert said in reason


@pytest.mark.parametrize(
    ("name", "check", "abstain", "said"),
    [
        ("vessel_lost", 0.10, 0.25, "of the vessel length is gone"),
        ("colour_change", 12.0, 25.0, "colours change by"),
        ("vessel_invented", 2.0, None, "new vessels"),
        ("expected_error", 12.0, 16.0, "the expected error is"),
        ("harmed_share", 0.25, 0.5, "of the field is expected to be worse"),
    ],
)
def test_a_score_above_a_limit_asks_for_a_look_and_above_the_next_forbids_use(
    name: str, check: float, abstain: float | None, said: str
) -> None:
    levels = [(0.0, 0), (0.999 * check, 0), (1.001 * check, 1)]
    levels += [(50 * check, 1)] if abstain is None else [(0.999 * abstain, 1), (1.001 * abstain, 2)]
    for level, number in levels:
        scores = {**GOOD, name: torch.tensor([level])}
        error = float(scores.pop("expected_error", torch.zeros(1)))
        harmed = float(scores.pop("harmed_share", torch.zeros(1)))
        verdict, reasons = decide_verdict(scores, error, harmed, 1.0, VESSELS)
        assert verdict == VERDICTS[number], level
        assert len(reasons) == (number > 0)
        assert all(said in reason for reason in reasons)


def test_the_worst_score_decides_and_every_reason_is_told() -> None:
    scores = {"vessel_lost": torch.tensor([0.3]), "colour_change": torch.tensor([13.0]),
              "vessel_invented": torch.tensor([3.0])}  # fmt: skip
    verdict, reasons = decide_verdict(scores, 12.5, 0.3, 0.5, VESSELS)
    assert verdict == "abstain"
    assert reasons == (
        "30% of the vessel length is gone (limit 25%)",
        "colours change by 13 (mean CIEDE2000, limit 12)",
        "the expected error is 12.5 of 255 grey levels (limit 12)",
        "30% of the field is expected to be worse than before (limit 25%)",
        "new vessels (recovered or invented) of 3.0 times the length found before (limit 2)",
        "the field of view is uncertain (confidence 0.50)",
    )
    assert decide_verdict(GOOD, 17.0, UNKNOWN, 0.5, VESSELS)[0] == "abstain", (
        "a look does not lessen it"
    )
    assert decide_verdict(GOOD, UNKNOWN, UNKNOWN, 1.0, VESSELS) == ("ok", ())


def test_fidelity_verdicts_are_of_each_photograph() -> None:
    scores = {
        "vessel_lost": torch.tensor([0.0, 0.2, 0.0, torch.nan, torch.nan]),
        "colour_change": torch.tensor([0.0, 0.0, 30.0, 0.0, 30.0]),
    }
    assert fidelity_verdict(scores).tolist() == [0.0, 1.0, 2.0, 1.0, 2.0]
    none = {
        **GOOD,
        "vessel_lost": torch.tensor([torch.nan]),
        "vessel_invented": torch.tensor([torch.nan]),
    }
    assert decide_verdict(none, 0.0, UNKNOWN, 1.0, VesselEvidence(0.0, float("nan"))) == (
        "check", ("no vessels can be seen in the unenhanced photograph",)
    )  # fmt: skip
