"""Trainings of a study: none is done twice, and a stopped one goes on where it may."""

from pathlib import Path

import pytest
import torch

from experiments.configurations import BASE, CONFIGS
from experiments.studies import runs
from experiments.studies.runs import TRAINED, Runs, as_options, recipe_of
from magenet.errors import UserError
from magenet.main import main
from tests.command_line import LIMITS, SMALL

pytestmark = pytest.mark.usefixtures("workplace")

FOLDER = Path("runs/study/a")


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Take down the commands instead of running them."""
    taken: list[tuple[str, ...]] = []

    def run(*command: str) -> None:
        taken.append(command)
        if command[0] == "fit":
            best = Path(command[command.index("--checkpoint.dirpath") + 1]) / "best.ckpt"
            best.parent.mkdir(exist_ok=True)
            best.touch()

    monkeypatch.setattr(runs, "run", run)
    return taken


def stopped(*options: str, at: str | None = "step_000100.ckpt") -> Path:
    """Return the checkpoint that a training left which was killed."""
    Runs(Path("runs/study")).train("a", [], *options)
    (FOLDER / TRAINED).unlink()
    best = FOLDER / "checkpoints/best.ckpt"
    if at is not None:
        torch.save({"global_step": 100}, best.with_name(at))
    return best


def test_what_is_trained_is_not_trained_again(commands: list[tuple[str, ...]]) -> None:
    for _ in range(2):
        Runs(Path("runs/study")).train("a", [])
        assert len(commands) == 1


def test_a_stopped_training_goes_on_from_its_resume_point(commands: list[tuple[str, ...]]) -> None:
    best = stopped("--seed_everything", "1")
    newer = Path("runs/study/b/checkpoints/step_000200.ckpt")
    newer.parent.mkdir(parents=True)
    torch.save({"global_step": 200}, newer)
    assert Runs(Path("runs/study")).train("a", [], "--seed_everything", "1") == best
    assert best.is_file()
    assert commands[-1][-2:] == ("--ckpt_path", str(best.with_name("step_000100.ckpt")))
    assert (FOLDER / TRAINED).is_file()


def test_one_trained_by_another_recipe_is_refused(commands: list[tuple[str, ...]]) -> None:
    """Else its scores would pass for those of the recipe that was asked for."""
    Path("start.ckpt").write_text("one")
    for _ in range(2):
        Runs(Path("runs/study")).train("a", [], "--model.start", "start.ckpt")
    Path("start.ckpt").write_text("another")
    with pytest.raises(UserError, match="trained by another recipe"):
        Runs(Path("runs/study")).train("a", [], "--model.start", "start.ckpt")
    assert len(commands) == 1


def test_a_judge_that_a_configuration_names_is_part_of_the_recipe(
    commands: list[tuple[str, ...]],
) -> None:
    Path("weights").mkdir()
    Path("judged.yaml").write_text("data: {x: {checkpoint: weights/judge.ckpt}}\n")
    for content, count in (("one", 1), ("one", 1), ("another", 2)):
        Path("weights/judge.ckpt").write_text(content)
        Path("runs/study/a_tested").mkdir(parents=True, exist_ok=True)
        Runs(Path("runs/study")).test("a", [Path("judged.yaml")])
        assert len(commands) == count


def test_the_recipe_is_that_of_any_clone_and_ignores_comments() -> None:
    """Else a row would be trained for hours again on another machine, or for a word."""
    Path("layer.yaml").write_text("trainer: {max_steps: 2}\n")

    def recipe_with_layer() -> str:
        return recipe_of(as_options([BASE, Path("layer.yaml")]))

    recipe = recipe_with_layer()
    assert "experiments/configs/base.yaml" in recipe
    assert str(CONFIGS) not in recipe
    Path("layer.yaml").write_text("# Two steps.\ntrainer: {max_steps: 2}\n")
    assert recipe_with_layer() == recipe
    Path("layer.yaml").write_text("trainer: {max_steps: 3}\n")
    assert recipe_with_layer() != recipe


def test_a_training_without_a_checkpoint_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "run", lambda *command: None)
    with pytest.raises(UserError, match="ended without a checkpoint"):
        Runs(Path("runs/study")).train("a", [])
    assert not (FOLDER / TRAINED).exists()


def test_a_test_is_repeated_for_another_checkpoint(commands: list[tuple[str, ...]]) -> None:
    best = stopped()
    Path("runs/study/a_tested").mkdir()
    for content, count in (("one", 2), ("one", 2), ("another", 3)):
        best.write_text(content)
        Runs(Path("runs/study")).test("a", [])
        assert len(commands) == count


def test_one_without_a_resume_point_starts_anew(commands: list[tuple[str, ...]]) -> None:
    old = stopped(at=None).with_name("old.ckpt")
    old.touch()
    Runs(Path("runs/study")).train("a", [], "--seed_everything", "1")
    assert "--ckpt_path" not in commands[-1]
    assert not old.exists()


@pytest.mark.parametrize("change", ["option", "layer"])
def test_a_stopped_one_of_another_recipe_is_kept(
    commands: list[tuple[str, ...]], change: str
) -> None:
    """It may be hours of work."""
    best = stopped()
    Path("layer.yaml").write_text("trainer: {max_steps: 2}\n")
    layers = [Path("layer.yaml")] if change == "layer" else []
    options = ["--seed_everything", "1"] if change == "option" else []
    with pytest.raises(UserError, match="trained by another recipe"):
        Runs(Path("runs/study"), layers).train("a", [], *options)
    assert best.with_name("step_000100.ckpt").is_file()


@pytest.mark.slow
def test_the_command_line_goes_on_from_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resumed: list[bool] = []

    def run(*command: str) -> None:
        resumed.append("--ckpt_path" in command)
        assert main(list(command)) == 0

    monkeypatch.setattr(runs, "run", run)
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
    assert resumed == [False, True]
