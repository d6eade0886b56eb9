"""`magenet sweep` as a person meets it; what it does is tested in `tests/magenet/sweeps`."""

from pathlib import Path
from typing import Any

import pytest

from magenet.main import main
from tests.magenet.sweeps.test_sweep_file import GRID, read


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    monkeypatch.setattr("magenet.commands.sweep.run_sweep", lambda *given: calls.append(given))
    return calls


def test_what_stands_after_the_dashes_is_for_fit(tmp_path: Path, runs: list[Any]) -> None:
    read(tmp_path, GRID)
    path = str(tmp_path / "s.yaml")
    assert main(["sweep", path, "--trials", "1", "--", "--trainer.max_epochs", "2"]) == 0
    assert main(["sweep", "-o", "there", path]) == 0
    (first, folder, options), (second, there, nothing) = runs
    assert (first.trials, folder) == (1, Path("runs/sweeps/s"))
    assert options == ["--trainer.max_epochs", "2"]
    assert (second.trials, there, nothing) == (None, Path("there"), [])


def test_a_mistake_is_one_line(
    tmp_path: Path, runs: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    read_path = str(tmp_path / "s.yaml")
    with pytest.raises(Exception, match="unknown key"):
        read(tmp_path, GRID | {"metod": 1})
    assert main(["sweep", read_path]) == 2
    assert f"magenet: error: {read_path}: metod: unknown key" in capsys.readouterr().err
    assert main(["sweep", read_path, "--trials", "0"]) == 2
    assert "--trials must be at least 1, got 0" in capsys.readouterr().err
    assert main(["sweep", read_path, "--out", "x", "--trainer.max_steps", "2"]) == 2
    assert "unrecognized arguments: --trainer.max_steps 2" in capsys.readouterr().err
    assert not runs
