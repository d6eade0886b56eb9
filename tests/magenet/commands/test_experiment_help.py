"""The short help: without torch, with three examples that name files and options that exist."""

import re
import subprocess
import sys

import pytest

import magenet
from experiments.configurations import CONFIGS
from magenet.commands.experiment_help import OPTIONS, SUBCOMMANDS, WIDTH, short_help
from magenet.commands.named_configs import config_path
from magenet.main import EXPERIMENT, main
from tests.conftest import ROOT


@pytest.mark.parametrize("name", EXPERIMENT)
def test_help_is_short_and_has_three_examples(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    printed = capsys.readouterr().out
    assert printed == short_help(name) + "\n"
    lines = printed.splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= WIDTH + 2, "with the backslash"
    assert len(re.findall(rf"^    magenet {name} ", printed, re.MULTILINE)) == 3
    assert "--help-all" in printed


@pytest.mark.parametrize("name", EXPERIMENT)
def test_what_the_help_names_exists(name: str) -> None:
    text = short_help(name)
    named = re.findall(r"--config (magenet:[a-z]\S*)", text)
    assert len(named) >= 2
    for configuration in named:
        assert config_path(configuration).is_file()
    for folder in ("runs", "layers", "tests", "sweeps"):
        assert f"{folder}/" in text
    kinds = [p.stem for p in [*CONFIGS.glob("runs/*"), *CONFIGS.glob("layers/*")]]
    assert all(kind in text for kind in kinds if kind != "protocol")


def test_the_help_loads_no_torch() -> None:
    program = (
        "import sys; from magenet.main import main; main(['fit', '-h']); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, capture_output=True)


@pytest.mark.parametrize("name", EXPERIMENT)
def test_every_option_is_behind_help_all(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help-all"])
    printed = capsys.readouterr().out
    assert SUBCOMMANDS[name].purpose in printed
    assert not re.search(r":\w+:`|``|Useful to|<class |every aspect of training", printed)
    for option in OPTIONS:
        known = option.split()[0].removesuffix(".batch_size").removesuffix(".workers")
        assert known in printed or option == "--help-all", option


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"magenet {magenet.__version__}\n"
