"""How long adapting takes is told first, and what does not fit is refused at once."""

from pathlib import Path

import pytest

from magenet.adaptation.time_plan import LEAST_STEPS, plan
from magenet.errors import UsageError
from tests.magenet.adaptation.test_run import adapt


@pytest.mark.parametrize("each", [0.05, 1.0, 2.4])
@pytest.mark.parametrize("steps", [1, 400, 100_000])
@pytest.mark.parametrize("photographs", [60, 130])
def test_the_parts_fit_into_the_time_and_the_steps_into_their_part(
    photographs: int, each: float, steps: int
) -> None:
    parts = plan(photographs, each, steps, minutes=30)
    assert parts.seconds <= 30 * 60
    assert min(steps, LEAST_STEPS) <= parts.steps <= steps
    more = plan(photographs, each, steps, minutes=60)
    assert more.steps >= parts.steps
    assert more.survey == parts.survey, "looking at them takes as long"


def test_the_training_ends_early_enough_for_the_judgement() -> None:
    parts = plan(60, 1.0, 400, minutes=30)
    assert parts.end(1000.0, 30) == pytest.approx(1000 + 1800 - parts.judging)


def test_too_little_time_names_what_would_be_enough() -> None:
    with pytest.raises(UsageError, match=r"--minutes 5: .*500 photographs.*fewer") as caught:
        plan(500, 1.5, 400, minutes=5)
    needed = float(str(caught.value).split("give --minutes ")[1].split(",")[0])
    assert plan(500, 1.5, 400, needed).steps >= LEAST_STEPS
    with pytest.raises(UsageError):
        plan(500, 1.5, 400, needed - 1.5)


def test_photographs_that_cannot_be_enhanced_are_told_by_the_survey(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(60):
        (tmp_path / f"{index}.png").write_bytes(b"")
    assert adapt(tmp_path, tmp_path.parent / "own", weights) == 1
    said = capsys.readouterr()
    assert said.err.count("left out: ") == 60
    assert "photographs that can be used: 0;" in said.err
    assert "about" not in said.out


def test_it_is_told_before_the_survey(
    camera: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    said: list[str] = []
    monkeypatch.setattr("magenet.adaptation.run.seconds_each", lambda *rest: 1.0)

    def survey(*rest: object) -> None:
        said.append(capsys.readouterr().out)
        raise UsageError("stopped here")

    monkeypatch.setattr("magenet.adaptation.run.survey", survey)
    assert adapt(camera, tmp_path / "own", weights) == 2
    assert said[0].startswith("60 photographs: about ")
    assert "at most 30 min (--minutes)" in said[0]
