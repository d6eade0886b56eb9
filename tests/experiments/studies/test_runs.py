"""Trainings of a study: none is done twice, and a stopped one goes on where it may."""

from pathlib import Path

import pytest

from experiments.configurations import CONFIGS
from experiments.studies import runs
from experiments.studies.runs import TRAINED, Runs
from magenet.main import main
from tests.command_line import LIMITS, SMALL

pytestmark = pytest.mark.usefixtures("workplace")

FOLDER = Path("runs/study/a")


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Take down the commands instead of running them."""
    taken: list[tuple[str, ...]] = []
    monkeypatch.setattr(runs, "run", lambda *command: taken.append(command))
    return taken


def stopped(*options: str, at: str | None = "step_000100.ckpt") -> Path:
    """Return the checkpoint that a training left which was killed."""
    Runs(Path("runs/study")).train("a", [], *options)
    (FOLDER / TRAINED).unlink()
    best = FOLDER / "checkpoints/best.ckpt"
    best.parent.mkdir()
    best.touch()
    if at is not None:
        best.with_name(at).touch()
    return best


def test_what_is_trained_is_not_trained_again(commands: list[tuple[str, ...]]) -> None:
    for _ in range(2):
        Runs(Path("runs/study")).train("a", [])
        assert len(commands) == 1


def test_a_stopped_training_goes_on_from_its_resume_point(commands: list[tuple[str, ...]]) -> None:
    best = stopped("--seed_everything", "1")
    assert Runs(Path("runs/study")).train("a", [], "--seed_everything", "1") == best
    assert best.is_file()
    assert commands[-1][-2:] == ("--ckpt_path", "last")
    assert (FOLDER / TRAINED).is_file()


@pytest.mark.parametrize("change", ["option", "layer", "no resume point"])
def test_one_of_another_recipe_or_without_a_resume_point_starts_anew(
    commands: list[tuple[str, ...]], change: str
) -> None:
    best = stopped(at=None if change == "no resume point" else "step_000100.ckpt")
    Path("layer.yaml").write_text("trainer: {max_steps: 2}\n")
    layers = [Path("layer.yaml")] if change == "layer" else []
    options = ["--seed_everything", "1"] if change == "option" else []
    Runs(Path("runs/study"), layers).train("a", [], *options)
    assert "--ckpt_path" not in commands[-1]
    assert not best.exists()


@pytest.mark.slow
def test_the_command_line_goes_on_from_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runs, "run", lambda *command: main(list(command)))
    for name, layer in (("limits", LIMITS), ("small", SMALL)):
        Path(f"{name}.yaml").write_text(layer)
    configs = [CONFIGS / "runs/phantoms/supervised.yaml", Path("limits.yaml"), Path("small.yaml")]
    options = (
        "--trainer.limit_train_batches",
        "3",
        "--trainer.max_steps",
        "4",
        "--resume_point.every_n_steps",
        "2",
    )
    for _ in range(2):
        Runs(Path("runs/study")).train("a", configs, *options)
        assert (FOLDER / "checkpoints/step_000004.ckpt").is_file()
        (FOLDER / TRAINED).unlink()
        (FOLDER / "checkpoints/step_000004.ckpt").unlink()
    assert capsys.readouterr().err.count("the last checkpoint is") == 1
