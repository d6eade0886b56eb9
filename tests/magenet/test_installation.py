"""Version, configurations and names of a clone; `tests/test_wheel.py` is on what is installed."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import data_modules
import magenet
from experiments.configurations import CONFIGS as OF_CLONE
from magenet.checkpoints import read_checkpoint
from magenet.errors import UserError
from magenet.installation import CONFIGS
from tests.conftest import ROOT


def test_the_version_is_that_of_pyproject() -> None:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert magenet.__version__ == content["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == magenet.__version__


def test_the_changelog_has_the_version() -> None:
    headings = [x for x in (ROOT / "CHANGELOG.md").read_text().splitlines() if x.startswith("## ")]
    assert headings[0] == "## Unreleased"
    assert any(heading.startswith(f"## {magenet.__version__}") for heading in headings)


def test_the_configurations_are_those_of_the_clone() -> None:
    assert CONFIGS.samefile(OF_CLONE)


def test_both_names_lead_to_one_module() -> None:
    import magenet.data_modules
    import magenet.data_modules.files.reading

    from data_modules.files import reading

    assert magenet.data_modules is data_modules
    assert magenet.data_modules.files.reading is reading
    assert reading.__name__ == "data_modules.files.reading"
    assert reading.__spec__ is not None
    assert reading.__spec__.name == reading.__name__


@pytest.mark.parametrize("other", [True, False])
def test_a_second_name_is_taken_only_if_it_is_free(other: bool, tmp_path: Path) -> None:
    """By a stranger's package, in a process of its own."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real/__init__.py").write_text("who = 'ours'")
    (tmp_path / "real/part.py").write_text("")
    if other:
        (tmp_path / "second").mkdir()
        (tmp_path / "second/__init__.py").write_text("who = 'theirs'")
    program = (
        "import sys; from magenet.installation import SecondName; "
        "sys.meta_path.insert(0, SecondName('second', 'real')); "
        "import real.part, second; print(second.who)\n"
        "try: import second.part; print(second.part is real.part)\n"
        "except ModuleNotFoundError as error: print(error.name)\n"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
    ).stdout  # fmt: skip
    assert printed.split() == (["theirs", "second.part"] if other else ["ours", "True"])


def test_weights_that_are_only_in_a_clone_are_said_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="such checkpoint; it is in the project's repository, not"):
        read_checkpoint("experiments/weights/vessels.ckpt", "train it first")
    with pytest.raises(UserError, match="such checkpoint; train it first"):
        read_checkpoint("runs/vessels.ckpt", "train it first")
