"""A method is compared with the input and with the clean photograph, patient by patient."""

import math

import pytest

from magenet.errors import UserError
from magenet.evaluation.score_rows import ScoreRow
from magenet.evaluation.summary import ScoreSummary, columns_of, summarise


def rows(
    subject: str, values: list[float], patients: str = "", score: str = "vessel_dice"
) -> list[ScoreRow]:
    patients = patients or "aabbccdd"[: len(values)]
    return [
        {
            "subject": subject,
            "name": f"p{index}",
            "patient": patient,
            "condition": "spots",
            score: value,
        }
        for index, (value, patient) in enumerate(zip(values, patients, strict=True))
    ]


def summarised(scores: list[ScoreRow]) -> list[ScoreSummary]:
    return summarise(columns_of(scores))


def line(lines: list[ScoreSummary], subject: str) -> ScoreSummary:
    return next(line for line in lines if line.subject == subject)


INPUT = rows("input", [10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0])
CLEAN = rows("clean", [20.0, 21.0, 22.0, 23.0, 24.0, 25.0, 26.0, 27.0])


def test_a_method_is_compared_with_doing_nothing_and_with_the_clean_photograph() -> None:
    method = rows("student", [14.0, 15.0, 16.0, 17.0, 18.0, 19.0, 20.0, 21.0])
    found = line(summarised([*INPUT, *method, *CLEAN]), "student")
    assert found.mean == 17.5
    assert found.low < 17.5 < found.high
    assert (found.photographs, found.patients) == (8, 4)
    assert found.difference == found.difference_low == found.difference_high == 4.0
    assert (found.wins, found.ties, found.losses) == (4, 0, 0)
    assert found.p == 2 / 2**4, "all signs flipped is as far off"
    assert found.gap_closed == pytest.approx(0.4)


def test_a_better_partner_is_a_goal_too() -> None:
    method = rows("student", [15.0, 16.0, 17.0, 18.0, 19.0, 20.0, 21.0, 22.0])
    high = [{**row, "subject": "high"} for row in CLEAN]
    assert line(summarised([*INPUT, *method, *high]), "student").gap_closed == pytest.approx(0.5)


def test_there_is_no_gap_where_the_ends_cannot_be_told_apart_or_mean_nothing() -> None:
    method = [11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0]
    wavering = rows("clean", [13.0, 14.0, 10.0, 11.0, 14.0, 15.0, 16.0, 17.0])
    assert math.isnan(line(summarised([*INPUT, *rows("student", method), *wavering]), "student")
                      .gap_closed)  # fmt: skip
    ends = ([10.0] * 8, [60.0] * 8)
    subjects = zip(("input", "clean", "student"), (*ends, method), strict=True)
    capped = [row for who, values in subjects for row in rows(who, values, score="psnr")]
    assert math.isnan(line(summarised(capped), "student").gap_closed)


def test_the_gap_is_of_the_photographs_that_have_all_three() -> None:
    method = rows("student", [15.0, 16.0, 17.0, 18.0, 19.0, 20.0, math.nan, 22.0])
    assert line(summarised([*INPUT, *method, *CLEAN]), "student").gap_closed == pytest.approx(0.5)


def test_a_lower_colour_difference_is_a_win() -> None:
    ends = ([10.0] * 6, [8.0, 8.0, 8.0, 8.0, 12.0, 12.0])
    subjects = zip(("input", "student"), ends, strict=True)
    both = [row for who, values in subjects for row in rows(who, values, score="pair_colour")]
    found = line(summarised(both), "student")
    assert (found.wins, found.ties, found.losses) == (2, 0, 1)


def test_a_drift_is_better_the_nearer_it_is_to_nothing() -> None:
    ends = ([-6.0] * 6, [-1.0, -1.0, 2.0, 2.0, 9.0, 9.0], [0.0] * 6)
    subjects = zip(("input", "student", "clean"), ends, strict=True)
    drifts = [r for who, values in subjects for r in rows(who, values, score="brightness_drift")]
    found = line(summarised(drifts), "student")
    assert (found.wins, found.ties, found.losses) == (2, 0, 1)
    assert found.mean == pytest.approx(20 / 6)
    assert found.difference == pytest.approx(-2.0), "of the sizes: 4 on average, from 6"


@pytest.mark.parametrize("score", ["vessel_lost", "naturalness"])
def test_the_way_to_a_worse_end_is_no_gap_to_close(score: str) -> None:
    """The clean photograph has other vessels than the input: by that it is the worse one."""
    ends = ([0.0, 1.0] * 4, [2.0, 3.0] * 4, [4.0, 5.0] * 4)
    subjects = zip(("input", "student", "clean"), ends, strict=True)
    scores = [row for who, values in subjects for row in rows(who, values, score=score)]
    assert math.isnan(line(summarised(scores), "student").gap_closed)


def test_what_is_not_defined_is_left_out_and_never_a_zero() -> None:
    method = rows("student", [14.0, math.nan, 16.0, 17.0, *[math.nan] * 4])
    lines = summarised([*INPUT, *method])
    found = line(lines, "student")
    assert found.mean == pytest.approx((14 + 16 + 17) / 3)
    assert (found.photographs, found.patients) == (3, 2)
    assert math.isnan(found.gap_closed), "no clean photograph, no gap"
    assert not summarised(rows("student", [math.nan] * 6))


def test_one_patient_has_no_interval() -> None:
    found = line(summarised(rows("input", [1.0, 2.0], "aa")), "input")
    assert found.mean == 1.5
    assert math.isnan(found.low)


def test_other_photographs_cannot_be_compared() -> None:
    with pytest.raises(UserError, match="same photographs: p2"):
        summarised([*INPUT, *rows("student", [1.0, 2.0], "ab")])
