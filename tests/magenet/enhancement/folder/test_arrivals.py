"""Files that arrive: taken when they are whole, and once."""

from pathlib import Path

import pytest

from magenet.enhancement.folder.arrivals import LOOK, PATIENCE, Arrivals
from tests.magenet.enhancement.days import Days

FAILED = {"status": "failed", "reasons": ["a.png: cannot be decoded"]}
ENHANCED = {"status": "enhanced", "reasons": []}


def looks(arrivals: Arrivals, days: Days, seconds: float = LOOK) -> list[str]:
    days.time += seconds
    return [photograph.name for photograph in arrivals.look()]


def test_a_file_is_taken_when_it_has_not_changed_and_once(tmp_path: Path) -> None:
    days, file = Days(), tmp_path / "a.png"
    arrivals = Arrivals(tmp_path, days.clock, days.sleep)
    file.write_bytes(b"x")
    assert looks(arrivals, days) == []
    file.write_bytes(b"xx")
    assert looks(arrivals, days) == [], "it has grown"
    assert looks(arrivals, days, LOOK / 2) == [], "too soon"
    assert looks(arrivals, days, LOOK / 2) == ["a.png"]
    assert looks(arrivals, days) == ["a.png"], "until its outcome is known"
    assert arrivals.left() == ["a.png"]
    [photograph] = arrivals.look()
    assert arrivals.settle(photograph, ENHANCED)
    assert arrivals.left() == []
    assert looks(arrivals, days, 1000) == []
    file.write_bytes(b"other")
    assert [looks(arrivals, days), looks(arrivals, days)] == [[], ["a.png"]], "it was replaced"


def test_what_fails_early_is_tried_again_when_it_changes_or_has_stayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days, file = Days(), tmp_path / "a.png"
    arrivals = Arrivals(tmp_path, days.clock, days.sleep)
    for content in (b"x", b"xx"):
        file.write_bytes(content)
        looks(arrivals, days)
        assert looks(arrivals, days) == ["a.png"]
        [photograph] = arrivals.look()
        assert not arrivals.settle(photograph, FAILED), "it may be a part"
        assert looks(arrivals, days) == []
    assert capsys.readouterr().err.count("waiting for a.png") == 1
    assert looks(arrivals, days, PATIENCE) == ["a.png"]
    assert arrivals.settle(photograph, FAILED), "it stays as it is"
    assert looks(arrivals, days, PATIENCE) == []


def test_a_folder_that_is_gone_for_a_while_costs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days, folder = Days(), tmp_path / "share"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"x")
    arrivals = Arrivals(folder, days.clock, days.sleep)
    looks(arrivals, days)
    [photograph] = [looks(arrivals, days), arrivals.look()][1]
    arrivals.settle(photograph, ENHANCED)
    folder.rename(tmp_path / "away")
    assert looks(arrivals, days) == looks(arrivals, days) == []
    (tmp_path / "away").rename(folder)
    assert looks(arrivals, days) == looks(arrivals, days) == [], "nothing is new"
    said = capsys.readouterr().err
    assert said.count("is gone; waiting for it") == said.count("is there again") == 1


def test_a_signal_ends_the_rest(tmp_path: Path) -> None:
    stopped: list[int] = []
    days = Days((1.0, lambda: stopped.append(15)))
    arrivals = Arrivals(tmp_path, days.clock, days.sleep)
    arrivals.rest(stopped)
    assert days.time == 1.0
    stopped.clear()
    arrivals.rest(stopped)
    assert days.time == 1.0 + LOOK
