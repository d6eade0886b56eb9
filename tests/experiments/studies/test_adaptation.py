from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.configurations import BASE
from experiments.studies.adaptation import __main__ as study
from experiments.studies.adaptation import report
from experiments.studies.adaptation.arms import (
    ARMS,
    CONTROL,
    FOLDER,
    REFERENCE,
    UPPER_REFERENCE,
    needs,
    slug,
)
from experiments.studies.adaptation.scores import (
    CALIBRATED_SOURCE,
    DO_NOTHING,
    SCORES,
    SOURCE,
    add_tests,
    read_scores,
)
from experiments.studies.runs import Runs, as_options
from magenet.errors import UserError
from magenet.evaluation.score_rows import ScoreRow, write_rows
from magenet.evaluation.statistics import Comparison
from magenet.main import main
from tests.command_line import SCORED
from tests.conftest import ROOT

SMALL = """
trainer: {max_steps: 2, val_check_interval: 2, limit_test_batches: 2, limit_val_batches: 2}
data: {init_args: {batch_size: 2, workers: 0}}
"""
SMALL_NETWORK = (
    "model: {init_args: {network: {class_path: magenet.models.MAGENet.from_name, "
    "init_args: {name: tiny}}}}\n"
)


@pytest.mark.slow
@pytest.mark.usefixtures("workplace")
def test_every_arm_is_trained_and_tested_once(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("experiments").symlink_to(ROOT / "experiments")
    Path("small.yaml").write_text(SMALL)
    Path("network.yaml").write_text(SMALL_NETWORK)
    Path("scored.yaml").write_text(SCORED)
    as_it_trains, as_it_tests = Runs.train, Runs.test

    def train(self: Runs, name: str, configs: list[Path], *options: str) -> Path:
        layers = [] if name == "severity" else [Path("network.yaml")]
        return as_it_trains(self, name, [*configs, *layers], *options)

    def test(self: Runs, name: str, configs: list[Path]) -> Path:
        return as_it_tests(self, name, [*configs, Path("scored.yaml")])

    monkeypatch.setattr(Runs, "train", train)
    monkeypatch.setattr(Runs, "test", test)
    some = [REFERENCE, "same view"]
    command = ["--results", ".", "--layer", "small.yaml", "--only", *some]
    assert study.main(command) == 0
    text = Path("adaptation.md").read_text()
    for label in some:
        assert f"| {label} | 0 |" in text
    checkpoint = Path(f"runs/adaptation/{slug(REFERENCE)}_0/checkpoints/best.ckpt")
    before = checkpoint.stat().st_mtime_ns
    assert study.main(command) == 0
    assert checkpoint.stat().st_mtime_ns == before, "not trained again"
    same = Path("runs/adaptation/same_view_0/config.yaml").read_text()
    assert "data_modules.SameView" in same


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("label", ARMS)
def test_the_options_of_every_arm_are_the_command_lines(
    label: str, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = as_options([BASE, FOLDER / "arms.yaml"])
    with pytest.raises(SystemExit) as ended:
        main(["fit", *layers, "--model.start", "source.ckpt", *ARMS[label], "--print_config"])
    assert ended.value.code == 0
    parsed = yaml.safe_load(capsys.readouterr().out)
    for option, value in pairwise(ARMS[label]):
        if option.startswith(("--model.", "--data.")):
            assert found(parsed, option) == yaml.safe_load(value), option


def found(parsed: dict[str, Any], option: str) -> Any:
    """Return the value of an option in a parsed configuration; of a class its path."""
    value: Any = parsed
    for key in option.removeprefix("--").split("."):
        value = value.get("init_args", value)[key] if isinstance(value, dict) else value[key]
    return value.get("class_path", value) if isinstance(value, dict) else value


def scored(folder: Path, level: float, colour: float = 8.0) -> Path:
    rows: list[ScoreRow] = [
        {
            "subject": subject, "name": f"eye {index}", "patient": f"patient {index}",
            "condition": "pair", "pair_vessel_dice": level + 0.002 * index,
            "pair_vessel_auc": 0.9, "pair_ridge_dice": level, "pair_colour": colour,
            "pair_psnr": 25.0, "fiqa": index % 2, "wfqa": 1.0,
            "vessel_lost": 0.1 if index else float("nan"),
        }
        for subject in ("input", "student", "teacher")
        for index in range(14)
    ]  # fmt: skip
    folder.mkdir(parents=True)
    write_rows(folder / "scores.csv", rows)
    return folder


def test_an_arm_needs_what_its_options_name() -> None:
    assert needs(REFERENCE) == needs("same view") == []
    assert needs("bank") == ["severity"]
    assert needs(UPPER_REFERENCE) == ["calibrated"]
    assert {name for label in ARMS for name in needs(label)} | {"source"} == study.SOURCES.keys()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    checkpoint = tmp_path / "source.ckpt"
    checkpoint.write_bytes(b"a network")
    return checkpoint


def test_a_source_network_that_there_is_is_not_trained(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: dict[str, tuple[str, ...]] = {}

    def train(self: Runs, name: str, configs: list[Path], *options: str) -> Path:
        trained[name] = options
        return self.checkpoint(name)

    folder = scored(tmp_path / "tested", 0.5)
    monkeypatch.setattr(Runs, "train", train)
    monkeypatch.setattr(Runs, "test", lambda *_: folder)
    given = ["--source", str(source), "--results", str(tmp_path), "--only", REFERENCE, "bank"]
    assert study.main(given) == 0
    assert list(trained) == ["severity", f"{slug(REFERENCE)}_0", "bank_0"]
    for name in list(trained)[1:]:
        assert trained[name][:2] == ("--model.start", str(source))
    assert set(read_scores(tmp_path / "adaptation.csv")["fiqa"]) == {REFERENCE, "bank"}
    trained.clear()
    assert study.main([*given, "same view", "--seeds", "0"]) == 0
    assert list(trained) == ["same_view_0"], "scores are there, whatever became of the trainings"
    trained.clear()
    assert study.main([*given[:-2], "bank", "--seeds", "0", "2"]) == 0
    assert list(trained) == ["severity", f"{slug(REFERENCE)}_2", "bank_2"], "within a seed"


def written_report(folder: Path, source: Path, tests: dict[tuple[str, int], Path]) -> str:
    add_tests(folder / "adaptation.csv", source, tests)
    report.write_report(folder / "adaptation.csv", folder / "adaptation.md")
    return (folder / "adaptation.md").read_text()


def rows_of(text: str, heading: str) -> dict[str, str]:
    """Return the rows of a section's table by their first cell."""
    section = text.split(f"## {heading}\n")[1].split("## ")[0]
    return {line.split(" | ")[0][2:]: line for line in section.splitlines() if line[:2] == "| "}


def test_the_report_tells_the_gap_and_what_convinces(tmp_path: Path, source: Path) -> None:
    levels = {
        (SOURCE, 0): 0.5, (CALIBRATED_SOURCE, 0): 0.6,
        (REFERENCE, 0): 0.50, (REFERENCE, 1): 0.51, (REFERENCE, 2): 0.50, (REFERENCE, 3): 0.50,
        ("mean teacher", 0): 0.53, ("mean teacher", 1): 0.55, ("mean teacher", 2): 0.54,
        ("own good photographs", 1): 0.55, ("own good photographs", 2): 0.54,
        ("same view", 3): 0.55, ("gated", 4): 0.55, ("gated", 0): 0.55,
        (UPPER_REFERENCE, 0): 0.605, (UPPER_REFERENCE, 1): 0.61, (UPPER_REFERENCE, 2): 0.60,
    }  # fmt: skip
    tests = {
        one: scored(tmp_path / f"{slug(one[0])}_{one[1]}", level) for one, level in levels.items()
    }
    tests[DO_NOTHING, 0] = tests[SOURCE, 0]
    far = scored(tmp_path / "far", 0.55, colour=9.0)
    tests |= {("bank", 0): far, ("bank, detail alone", 1): far, ("bank, detail alone", 2): far}
    text = written_report(tmp_path, source, tests)
    assert "over the source: +0.100 [+0.100, +0.100]" in text
    assert "nan" not in text, "an eye without vessels says nothing about those lost"
    lines = rows_of(text, f"Against the {REFERENCE}")
    assert "| 1, 2 | +0.040" in lines["mean teacher"], "without the pilot, which chose it"
    assert lines["mean teacher"].endswith("| +0.040, +0.040 | 40% | yes |")
    assert lines["own good photographs"].endswith("| yes, exploratory |"), "the pilot chose it"
    assert lines["bank, detail alone"].endswith("| no, exploratory |"), "its colours are worse"
    assert "| 0, the pilot | +0.050" in lines["bank"]
    assert lines["bank"].endswith("| pilot |"), "which chooses, and decides nothing"
    assert lines["same view"].endswith("| one seed |")
    assert "gated" not in lines, "without a reference of its seed, and the pilot chose it"
    noise = rows_of(text, "Two trainings of one arm")
    assert "| 2 against 1 | -0.010" in text.split("## Two trainings")[1]
    assert {REFERENCE, "mean teacher", UPPER_REFERENCE} <= noise.keys()
    assert "against 0" not in text.split("## Two trainings")[1], "the pilot's precision differs"


def test_arms_are_held_against_the_controls_by_every_score(tmp_path: Path, source: Path) -> None:
    levels = {
        (REFERENCE, 0): 0.50, ("mean teacher", 0): 0.51, (CONTROL, 0): 0.49,
        (UPPER_REFERENCE, 0): 0.60, (f"{UPPER_REFERENCE}, mean teacher", 0): 0.603,
        ("own good photographs", 0): 0.5,
    }  # fmt: skip
    tests = {one: scored(tmp_path / slug(one[0]), level) for one, level in levels.items()}
    text = written_report(tmp_path, source, tests)
    against_control = rows_of(text, f"By all scores, against {CONTROL}")
    assert "| +0.020 [" in against_control["mean teacher"]
    assert "own good photographs" not in against_control, "it has no teacher"
    closed = rows_of(text, f"By all scores, against {UPPER_REFERENCE}")
    assert "| +0.003 [" in closed[f"{UPPER_REFERENCE}, mean teacher"]
    assert set(closed) == {"arm", f"{UPPER_REFERENCE}, mean teacher"}
    assert len(against_control["mean teacher"].split("|")) == len(SCORES) + 4


def test_a_gap_that_nobody_measured_and_one_that_may_be_none_are_told(
    tmp_path: Path, source: Path
) -> None:
    arms = ((REFERENCE, 0.5), ("bank", 0.51), ("same view", 0.49))
    tests = {
        (label, seed): scored(tmp_path / f"{slug(label)}{seed}", level)
        for label, level in arms
        for seed in (1, 2)
    }
    pilots = {REFERENCE: 0.5, UPPER_REFERENCE: 0.6}
    tests |= {(name, 0): scored(tmp_path / f"{name}0", at) for name, at in pilots.items()}
    lines = rows_of(written_report(tmp_path, source, tests), f"Against the {REFERENCE}")
    assert lines["bank"].endswith("| not known | not known, exploratory |"), "not the pilot's gap"
    assert lines["same view"].endswith("| not known | no, exploratory |")
    unsure = scored(tmp_path / "unsure", 0.52)
    text = (unsure / "scores.csv").read_text().splitlines()
    swung = [
        line.replace(",pair,0.5", f",pair,0.{2 + 6 * (index % 2)}")
        for index, line in enumerate(text)
    ]
    (unsure / "scores.csv").write_text("\n".join(swung) + "\n")
    tests |= {(UPPER_REFERENCE, seed): unsure for seed in (1, 2)}
    text_of_both = written_report(tmp_path, source, tests)
    assert "% * |" in rows_of(text_of_both, f"Against the {REFERENCE}")["bank"]
    assert "The interval of the gap itself includes 0" in text_of_both


def test_scores_outlive_the_trainings_of_the_same_source_alone(
    tmp_path: Path, source: Path
) -> None:
    scores = tmp_path / "adaptation.csv"
    add_tests(scores, source, {(REFERENCE, 0): scored(tmp_path / "one", 0.5)})
    add_tests(scores, source, {("bank", 0): scored(tmp_path / "two", 0.6, colour=5.0)})
    add_tests(scores, source, {(REFERENCE, 0): scored(tmp_path / "anew", 0.4)})
    table = read_scores(scores)
    assert table["pair_ridge_dice"][REFERENCE][0]["eye 3", "patient 3"] == 0.4
    assert table["pair_colour"]["bank"][0]["eye 3", "patient 3"] == 5.0
    source.write_bytes(b"another network")
    before = scores.read_bytes()
    with pytest.raises(UserError, match=r"scores of another source network than .*source\.ckpt"):
        add_tests(scores, source, {("same view", 0): tmp_path / "one"})
    assert scores.read_bytes() == before


def test_untouched_photographs_are_the_inputs_of_a_test(tmp_path: Path, source: Path) -> None:
    folder = scored(tmp_path / "one", 0.5)
    text = (folder / "scores.csv").read_text()
    (folder / "scores.csv").write_text(
        text.replace("input,eye 3,patient 3,pair,0.506", "input,eye 3,patient 3,pair,0.1")
    )
    add_tests(tmp_path / "a.csv", source, {(DO_NOTHING, 0): folder, (SOURCE, 0): folder})
    found = read_scores(tmp_path / "a.csv")["pair_vessel_dice"]
    assert found[DO_NOTHING][0]["eye 3", "patient 3"] == 0.1
    assert found[SOURCE][0]["eye 3", "patient 3"] == 0.506


def gain(difference: float, p: float = 0.001) -> Comparison:
    return Comparison(difference, 0.0, 0.0, 1, 0, 0, p)


@pytest.mark.parametrize(
    ("gains", "pooled", "share", "colour", "expected"),
    [
        ([0.03, 0.01], gain(0.02), 0.1, 0.0, True),
        ([0.01, 0.01], gain(0.01), 0.3, 0.3, True),
        ([0.01, 0.01], gain(0.01), 0.29, 0.0, False),
        ([0.05, -0.01], gain(0.02), 0.5, 0.0, False),
        ([0.03, 0.01], gain(0.02, p=0.02), 0.5, 0.0, False),
        ([0.03, 0.01], gain(0.02), 0.5, 0.31, False),
    ],
)
def test_the_criterion_is_the_protocols(
    gains: list[float], pooled: Comparison, share: float, colour: float, expected: bool
) -> None:
    found = report.is_convincing([gain(one) for one in gains], pooled, share, gain(colour))
    assert found == expected
