"""The reproduction makes what is missing, in order, and fails where a network gains nothing."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from experiments.reproduction import PUBLISHED, check, gains, main
from magenet.errors import UserError
from magenet.evaluation.tables import COLUMNS, read_table, write_table
from tests.conftest import ROOT

TEACHER = "MAGE-Net tiny, mean teacher, teacher"


def test_the_published_table_reproduces_itself() -> None:
    table = read_table(PUBLISHED)
    lines = check(table, table)
    assert len(lines) == 3, "each network"
    assert all(re.search(r": \+\d\.\d\d dB under fundus \(published", line) for line in lines)


def test_a_network_that_gains_nothing_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = read_table(PUBLISHED)
    assert gains(table)[TEACHER][1] > 0.0
    for cells in table:
        if cells["row"] == TEACHER and cells["condition"] == "fundus":
            cells["difference_low"] = "-0.1"
    write_table(tmp_path / "results.csv", COLUMNS, table)
    assert main([str(tmp_path / "results.csv")]) == 1
    assert f"'{TEACHER}' does not gain under fundus" in capsys.readouterr().err


def test_a_missing_network_fails() -> None:
    table = read_table(PUBLISHED)
    kept = [cells for cells in table if cells["row"] != TEACHER]
    with pytest.raises(UserError, match=f"no row '{TEACHER}'"):
        check(kept, table)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_only_steps_that_are_missing_are_made_each_after_what_it_needs(tmp_path: Path) -> None:
    def commands() -> list[str]:
        command = [
            "make", "-n", "-C", str(ROOT), "-o", ".venv/.core-installed", "reproduce",
            f"REPRODUCED={tmp_path}",
        ]  # fmt: skip
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return re.findall(r"bin/magenet (\w+)|-m experiments.(reproduction)", printed)

    def names() -> list[str]:
        return ["".join(pair) for pair in commands()]

    assert sorted(names()) == sorted(
        [*2 * ["fit"], *3 * ["test"], *2 * ["report"], "table", "phantom", "predict",
         "reproduction"]
    )  # fmt: skip
    assert names().index("fit") < names().index("test") < names().index("table")
    assert names()[-1] == "reproduction"
    for run in ("supervised", "mean_teacher"):
        checkpoint = tmp_path / run / "fit/checkpoints/best.ckpt"
        checkpoint.parent.mkdir(parents=True)
        checkpoint.touch()
    assert "fit" not in names(), "what is trained is not trained again"
    assert names().count("test") == 3
