"""A sweep trains each point once, whoever is killed meanwhile."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from magenet.errors import UsageError, UserError
from magenet.sweeps import study
from magenet.sweeps.run import run_sweep
from magenet.sweeps.sweep_file import read_sweep
from tests.conftest import ROOT
from tests.magenet.sweeps.driver import use_stand_in

pytest.importorskip("optuna", reason="needs the extra: pip install 'magenet[sweep]'")

GRID = """
command: [magenet, fit, "${args}"]
method: grid
metric: {name: val/score, goal: maximize}
parameters:
  x: {values: [1, 4, 2, 3]}
"""
SPREAD = GRID.replace("grid", "METHOD").replace("{values: [1, 4, 2, 3]}", "{min: 0.0, max: 9.0}")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("training.PROGRAM", "trial.POLL", "run.WAIT", "rehearsal.SHORT"):
        monkeypatch.setattr(f"magenet.sweeps.{name}", None)  # restored after the test
    use_stand_in()


def sweep(text: str, *options: str, trials: int | None = None, out: str = "out") -> None:
    Path("s.yaml").write_text(text)
    run_sweep(read_sweep(Path("s.yaml"), trials), Path(out), options)


def start(*options: str) -> subprocess.Popen[str]:
    """Start the sweep of `s.yaml` in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    driver = Path(__file__).with_name("driver.py")
    return subprocess.Popen(
        [sys.executable, str(driver), "s.yaml", "out", *options], env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def table(out: str = "out") -> list[dict[str, str]]:
    with Path(out, "trials.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def starts() -> list[str]:
    """The point of every training that was started."""
    return sorted("".join(p.read_text() for p in Path("out").glob("*/starts.txt")).split())


def wait_for(condition: Callable[[], object], seconds: float = 240.0) -> None:
    end = time.monotonic() + seconds  # the machine may be busy
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_every_point_of_a_grid_is_trained_once(capsys: pytest.CaptureFixture[str]) -> None:
    sweep(GRID, "--y=5")
    assert [(row["x"], row["state"], row["val/score"]) for row in table()] == [
        ("1", "complete", "0.75"), ("4", "complete", "3.75"),
        ("2", "complete", "1.75"), ("3", "complete", "2.75"),
    ]  # fmt: skip
    assert all(Path(row["folder"], "version_0/metrics.csv").is_file() for row in table())
    printed = capsys.readouterr().out
    assert "trial 2 of 4: x=4" in printed
    assert "best 3.75 (trial 2); 1 left, about " in printed
    assert "best: trial 2, val/score 3.75, in out/trial_002" in printed
    assert "  magenet fit --x=4 --y=5 --trainer.logger=" in printed
    before = table()
    sweep(GRID, "--y=5")
    assert table() == before
    assert len(starts()) == 4, "a finished sweep trains nothing more"


def test_the_least_value_is_the_best_where_less_is_better() -> None:
    sweep(GRID.replace("maximize", "minimize"))
    assert min(table(), key=lambda row: float(row["val/score"]))["x"] == "1"
    assert table()[0]["val/score"] == "0.0", "the best one logged, not the last"


def test_a_killed_sweep_goes_on_and_repeats_nothing() -> None:
    Path("s.yaml").write_text(GRID)
    process = start("--pause=0.2")
    wait_for(lambda: len(starts()) == 3)  # the second has been recorded
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    sweep(GRID, "--pause=0.2")
    assert [row["state"] for row in table()] == ["complete"] * 4
    assert sorted(row["x"] for row in table()) == ["1", "2", "3", "4"]
    assert [starts().count(x) for x in ("1", "4", "3")] == [1, 1, 1]
    assert [float(row["val/score"]) for row in table()] == [0.75, 3.75, 1.75, 2.75]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a signal at the end of the parent")
def test_the_training_of_a_killed_sweep_saves_and_is_continued() -> None:
    Path("s.yaml").write_text(GRID)
    process = start("--pause=0.5")
    metrics = Path("out/trial_001/version_0/metrics.csv")
    wait_for(lambda: metrics.exists() and len(metrics.read_text().splitlines()) >= 2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_for(lambda: list(Path("out/trial_001").glob("*/*/step_*.ckpt")))
    sweep(GRID, "--pause=0.5", trials=1)
    assert table()[0]["val/score"] == "0.75"
    rows = Path("out/trial_001/version_1/metrics.csv").read_text().splitlines()
    assert not rows[1].startswith("0,1,"), "not from the beginning"


def test_two_processes_share_a_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    text = GRID.replace("[1, 4, 2, 3]", "[1, 2, 3, 4, 5, 6]")
    Path("s.yaml").write_text(text)
    process = start("--pause=0.3")
    wait_for(starts)
    sweep(text, "--pause=0.3")
    said = [capsys.readouterr().out, process.communicate(timeout=240)[0]]
    assert process.returncode == 0, said
    assert starts() == ["1", "2", "3", "4", "5", "6"], "each once"
    assert [row["state"] for row in table()] == ["complete"] * 6
    assert all(text.count(": complete") >= 1 for text in said), "both worked"
    assert all("best: trial 6" in text for text in said), "both waited for the other's last"


def test_a_stopped_sweep_saves_and_goes_on() -> None:
    Path("s.yaml").write_text(GRID)
    process = start("--pause=0.3")
    wait_for(lambda: len(starts()) == 2)
    wait_for(lambda: (Path("out/trial_002/version_0/metrics.csv")).exists())
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=240)[0]
    assert process.returncode == 143
    assert "error: stopped; what is finished is in out/trials.csv; the same command goes" in said
    assert [row["state"] for row in table()] == ["complete", "running"]
    assert list(Path("out/trial_002").glob("*/*/step_*.ckpt")), "saved"
    sweep(GRID, "--pause=0.3")
    assert [row["state"] for row in table()] == ["complete"] * 4
    assert starts() == ["1", "2", "3", "4", "4"], "the stopped one went on"


def test_a_killed_training_is_tried_again_by_the_next_start() -> None:
    Path("s.yaml").write_text(GRID)
    process = start("--pause=0.3")
    wait_for(lambda: len(starts()) == 2)
    wait_for(lambda: (Path("out/trial_002/version_0/metrics.csv")).exists())
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        process.kill()
        pytest.skip("finds the training in /proc")
    os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
    said = process.communicate(timeout=240)[0]
    assert process.returncode == 0, said
    assert "trial 2: failed" in said
    assert "ended by SIGKILL" in said
    assert [row["state"] for row in table()] == ["complete", "failed", "complete", "complete"]
    sweep(GRID, "--pause=0.3")
    assert [row["state"] for row in table()].count("complete") == 4
    assert table()[4]["x"] == "4"


def test_a_trial_that_fails_is_told_and_tried_again_after_a_repair() -> None:
    text = GRID.replace("[1, 4, 2, 3]", "[1, bad, 2]")
    sweep(text)
    assert [row["state"] for row in table()] == ["complete", "failed", "complete"]
    assert table()[1]["reason"] == "x is bad"
    Path("repaired").touch()
    sweep(text)
    assert [row["x"] for row in table()] == ["1", "bad", "2", "bad"]
    assert table()[3]["state"] == "complete"


def test_trial_after_trial_that_fails_ends_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("magenet.sweeps.run.FAILURES", 1)
    with pytest.raises(UserError, match="in a row failed, the last one because: x is bad"):
        sweep(GRID.replace("[1, 4, 2, 3]", "[1, bad, 2]"))
    assert starts() == ["1", "bad"]


def test_hyperband_stops_what_is_not_among_the_best_and_it_saves() -> None:
    text = GRID + "early_terminate: {type: hyperband, min_iter: 2, eta: 2}\n"
    sweep(text, "--pause=0.3")
    assert [(row["x"], row["state"]) for row in table()] == [
        ("1", "complete"), ("4", "complete"), ("2", "pruned"), ("3", "pruned"),
    ]  # fmt: skip
    pruned = Path("out/trial_003")
    assert list(pruned.glob("version_0/checkpoints/step_*.ckpt")), "it saved"
    assert table()[2]["val/score"] == "1.5", "value number two decides"


@pytest.mark.parametrize(("method", "count"), [("random", 4), ("bayes", 12)])  # 10 are random
def test_a_resumed_search_draws_what_an_uninterrupted_one_draws(method: str, count: int) -> None:
    text = SPREAD.replace("METHOD", method)
    sweep(text, trials=count, out="whole")
    sweep(text, trials=2)
    sweep(text, trials=count)
    assert [row["x"] for row in table()] == [row["x"] for row in table("whole")]
    assert len({row["x"] for row in table()}) == count


def test_tpe_searches_where_the_score_is_high() -> None:
    sweep(SPREAD.replace("METHOD", "bayes"), trials=25)
    drawn = [float(row["x"]) for row in table()]
    assert sum(drawn[12:]) / 13 > sum(drawn[:10]) / 10 + 1.0


def test_a_folder_holds_one_sweep() -> None:
    sweep(GRID)
    with pytest.raises(UserError, match=r"out: holds trials of another sweep \(metric differ"):
        sweep(GRID.replace("val/score", "val/psnr"))
    with pytest.raises(UserError, match=r"another sweep \(options differ"):
        sweep(GRID, "--y=1")


def test_a_metric_that_is_never_logged_is_told_before_the_first_trial() -> None:
    with pytest.raises(
        UsageError, match=r"metric.name: a training logs no 'val/scores' \(did you mean val/score"
    ):
        sweep(GRID.replace("val/score", "val/scores"))
    assert not Path("out").exists()


def test_a_training_that_cannot_start_is_told_before_the_first_trial() -> None:
    with pytest.raises(UsageError, match=r"s.yaml: a training of this sweep fails: x is bad"):
        sweep(GRID.replace("[1, 4, 2, 3]", "[bad, 1]"))
    assert not Path("out").exists()


def test_a_missing_optuna_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"needs Optuna: pip install 'magenet\[sweep\]'"):
        study.require_optuna()
    with pytest.raises(UserError, match="needs Optuna"):
        sweep(GRID)


def test_half_a_line_of_a_killed_process_costs_nothing() -> None:
    sweep(GRID, trials=2)
    with Path("out/journal.log").open("ab") as stream:
        stream.write(b'{"op_code":4,"wor')
    sweep(GRID)
    assert [row["state"] for row in table()] == ["complete"] * 4
