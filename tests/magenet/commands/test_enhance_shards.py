"""`magenet enhance --shard`: several processes, one folder of results."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from data_modules.files.writing import write_photograph
from magenet.enhancement.folder.shard import SHARDS
from tests.magenet.commands.enhancing import enhance, rows, start
from tests.magenet.conftest import retina

MEASURED = {"seconds"}
"""Columns that differ from run to run."""


def without_time(out: Path) -> list[dict[str, str]]:
    return [{k: v for k, v in row.items() if k not in MEASURED} for row in rows(out).values()]


def pictures(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.glob("*.png")}


def test_shards_give_what_one_process_gives(
    folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, many = tmp_path / "one", tmp_path / "many"
    assert enhance(folder, "-o", one, "--weights", weights) == 1
    for number in (3, 1, 2):
        capsys.readouterr()
        enhance(folder, "-o", many, "--weights", weights, "--shard", f"{number}/3")
        last = number == 2
        assert ("the last part to finish writes enhance.csv" in capsys.readouterr().out) != last
        assert (many / "enhance.csv").exists() == last
    assert without_time(many) == without_time(one)
    assert pictures(many) == pictures(one)
    assert not (many / SHARDS).exists()


def test_a_page_is_made_when_all_are_done(
    folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert enhance(folder, "-o", out, "--weights", weights, "--shard", "1/2", "--html") == 2
    assert "run once more without --shard, with --skip-existing" in capsys.readouterr().err
    assert not out.exists()
    for number in (1, 2):
        enhance(folder, "-o", out, "--weights", weights, "--shard", f"{number}/2")
    enhance(folder, "-o", out, "--weights", weights, "--skip-existing", "--html")
    assert (out / "report.html").is_file()
    assert {row["status"] for row in rows(out).values()} == {"skipped", "refused", "failed"}


@contextmanager
def ended(processes: list[subprocess.Popen[str]]) -> Iterator[None]:
    """Kill what is still running when a test fails."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@pytest.mark.slow
def test_four_processes_of_which_one_is_killed_and_started_again(
    weights: Path, tmp_path: Path
) -> None:
    given, out = tmp_path / "in", tmp_path / "out"
    for seed in range(24):
        write_photograph(retina(seed), given / f"{seed:02}.png")
    options = given, "-o", out, "--weights", weights, "--skip-existing", "--shard"
    processes = [start(*options, f"{number}/4") for number in (1, 2, 3, 4)]
    with ended(processes):
        part = out / SHARDS / "2of4" / "enhance.incomplete.csv"
        until = time.monotonic() + 120
        while not part.exists() or part.read_text().count("\n") < 2:
            assert time.monotonic() < until, "the second shard has not begun"
            time.sleep(0.01)
        processes[1].send_signal(signal.SIGKILL)
        assert [process.wait(120) for process in processes] == [0, -signal.SIGKILL, 0, 0]
        assert not (out / "enhance.csv").exists()
        processes.append(start(*options, "2/4"))
        assert processes[-1].wait(120) == 0
    status = {name: row["status"] for name, row in rows(out).items()}
    assert list(status) == [f"{seed:02}.png" for seed in range(24)]
    assert set(status.values()) == {"enhanced", "skipped"}
    assert len(list(out.glob("*.png"))) == 24
    assert not (out / SHARDS).exists()
