"""The page of a sweep: one file, drawn from the trials, that opens without a network."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from magenet.sweeps.coordinates import axis_position, colour, parallel_coordinates
from magenet.sweeps.page import importance, write_page
from magenet.sweeps.parameter import Parameter
from magenet.sweeps.results import Row, best_row
from magenet.sweeps.sweep_file import Sweep

optuna = pytest.importorskip("optuna", reason="needs the extra: pip install 'magenet[sweep]'")

PARAMETERS = {"a.lr": Parameter((), 0.001, 0.1, log=True), "b": Parameter((1, "<x>", 3))}
SWEEP = Sweep(Path("s<1>.yaml"), "bayes", "val/psnr", True, PARAMETERS, (), None, 9)


def row(number: int, value: float | None, state: str = "complete", lr: float = 0.01) -> Row:
    folder = Path(f"out/trial_{number:03d}")
    return Row(number, state, value, {"a.lr": lr, "b": "<x>"}, 61.0, folder, "")


def study(values: list[tuple[float, int, float]]) -> "optuna.Study":
    """A study with the given lr, b and value of each trial."""
    made = optuna.create_study(direction="maximize")
    distributions = {key: parameter.distribution() for key, parameter in PARAMETERS.items()}
    for lr, b, value in values:
        made.add_trial(
            optuna.create_trial(
                params={"a.lr": lr, "b": b}, distributions=distributions, value=value
            )
        )
    return made


def test_the_page_needs_nothing_else_and_escapes_names(tmp_path: Path) -> None:
    rows = [row(1, 20.0), row(2, 25.0, lr=0.001), row(3, 15.0, "pruned"), row(4, None, "failed")]
    path = tmp_path / "sweep.html"
    write_page(path, study([(0.01, 1, 20.0)]), rows, SWEEP)
    text = path.read_text()
    assert not re.search(r"""(src|href)=["'](?!data:)|@import|url\(|<script""", text)
    assert "<x>" not in text, "escaped"
    assert "s&lt;1&gt;" in text
    assert "maximize val/psnr; 2 complete, 1 pruned, 1 failed." in text
    lines = re.findall(r"<tr[^>]*><td>(\d)</td>", text)
    assert lines == ["2", "1", "3", "4"], "the best first, one without a value last"
    assert '<tr class="best"><td>2<' in text
    assert "It takes 4 trials" in text


def test_a_line_goes_through_the_values_of_its_trial() -> None:
    rows = [row(1, 20.0, lr=0.001), row(2, 30.0, lr=0.1)]
    svg = ElementTree.fromstring(parallel_coordinates(rows, SWEEP, best_row(rows, True)))
    worst, best = svg.findall("polyline")
    points = {
        line.get("class"): [tuple(map(float, p.split(","))) for p in line.get("points", "").split()]
        for line in (worst, best)
    }
    bottom, top = 390.0, 50.0
    assert [y for _, y in points["complete"]] == [bottom, (top + bottom) / 2, bottom]
    assert [y for _, y in points["complete best"]] == [top, (top + bottom) / 2, top]
    assert (worst.get("stroke"), best.get("stroke")) == (colour(0.0), colour(1.0))


def test_where_less_is_better_the_least_has_the_colour_of_the_best() -> None:
    sweep = Sweep(Path("s.yaml"), "grid", "val/loss", False, PARAMETERS, (), None, None)
    rows = [row(1, 20.0), row(2, 30.0)]
    best = best_row(rows, maximize=False)
    assert best is rows[0]
    svg = ElementTree.fromstring(parallel_coordinates(rows, sweep, best))
    line = next(p for p in svg.findall("polyline") if "best" in p.get("class", ""))
    assert line.get("stroke") == colour(1.0)


def test_a_parameter_lies_between_its_ends() -> None:
    assert axis_position(Parameter((), 0.0, 10.0), 2.5) == 0.25
    assert axis_position(Parameter((), 0.001, 0.1, log=True), 0.01) == 0.5
    assert axis_position(Parameter((1, 100, 1000)), 100) == 0.5
    assert axis_position(Parameter((7,)), 7) == 0.0


def test_a_parameter_that_decides_is_more_important_than_one_that_does_not() -> None:
    trials = [(10 ** (-3 + i / 10), 1 + 2 * (i % 2), float(i)) for i in range(20)]
    shares = importance(study(trials))
    assert shares["a.lr"] > 0.8
    assert sum(shares.values()) == pytest.approx(1.0)
    assert importance(study(trials[:3])) == {}, "too few"
    assert importance(study([(lr, b, 1.0) for lr, b, _ in trials])) == {}, "nothing to explain"


def test_a_pruned_trial_is_not_the_best() -> None:
    assert best_row([row(1, 9.0, "pruned"), row(2, 3.0), row(3, None, "failed")], True) == row(
        2, 3.0
    )
    assert best_row([row(1, 9.0, "pruned")], True) is None
