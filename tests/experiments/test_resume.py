"""A training that is stopped or killed, and resumed, equals one that was not."""

import csv
import functools
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.configurations import BASE, CONFIGS
from tests.command_line import TINY, configs
from tests.conftest import ROOT

EPOCHS = {"max_epochs": 6, "max_steps": -1}
STEPS = {"max_epochs": -1, "max_steps": 24}


def layer(length: dict[str, int], workers: int, devices: int = 1) -> str:
    return f"""
trainer:
  accelerator: cpu
  devices: {devices}
  strategy: {"ddp" if devices > 1 else "auto"}
  precision: 32-true
  max_steps: {length["max_steps"]}
  max_epochs: {length["max_epochs"]}
  limit_val_batches: 1
  log_every_n_steps: 1
  enable_progress_bar: false
data:
  init_args:
    synthetic:
      class_path: data_modules.PhantomPhotographs
      init_args: {{count: 16, val_count: 2}}
    real:
      class_path: data_modules.PhantomPhotographs
      init_args: {{count: 8, val_count: 2, camera: handheld}}
    image_size: 32
    batch_size: {4 // devices}
    real_batch_size: {2 // devices}
    workers: {workers}
checkpoint: {{save_last: true, monitor: null}}
resume_point: {{every_n_steps: 3}}
"""


def command(last: bool) -> list[str]:
    run = CONFIGS / "runs/phantoms/mean_teacher.yaml"
    arguments = ["fit", *configs(BASE, run, TINY, "small.yaml")]
    return [*arguments, "--ckpt_path", "last"] if last else arguments


def start(folder: Path, last: bool) -> subprocess.Popen[str]:
    kept = {n: v for n, v in os.environ.items() if n == "PATH" or n.startswith("AWS_")}
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = kept | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "magenet.main", *command(last)], cwd=folder, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def points(folder: Path) -> list[Path]:
    return sorted(folder.rglob("step_*.ckpt"), key=lambda path: path.stat().st_mtime_ns)


def final(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(
        max(folder.rglob("last*.ckpt"), key=lambda path: path.stat().st_mtime_ns),
        weights_only=True,
    )
    return content


def logged(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """What each step logged, by step and kind of row; that of a later run counts."""
    rows = {}
    for file in sorted(folder.rglob("metrics.csv"), key=lambda path: path.stat().st_mtime_ns):
        for row in csv.DictReader(file.open()):
            values = {name: value for name, value in row.items() if value}
            rows[row["step"], "val" if "val/psnr" in values else min(values)] = values
    return rows


def assert_equal_runs(whole: Path, resumed: Path) -> None:
    one, other = final(whole), final(resumed)
    assert one["global_step"] == other["global_step"]
    for name, weight in one["state_dict"].items():
        assert torch.equal(weight, other["state_dict"][name]), name
    one_state, other_state = (run["optimizer_states"][0]["state"] for run in (one, other))
    for index, state in one_state.items():
        assert all(torch.equal(state[name], other_state[index][name]) for name in state)
    one_rows, other_rows = logged(whole), logged(resumed)
    assert one_rows.keys() == other_rows.keys(), one_rows.keys() ^ other_rows.keys()
    differing = [key for key, row in one_rows.items() if row != other_rows[key]]
    assert not differing, [(one_rows[key], other_rows[key]) for key in differing[:3]]


def run_with_kills(folder: Path, kills: int, number: int, generator: random.Random) -> int:
    """Train in `folder`, stopping the process `kills` times some time after a resume point.

    Returns:
        How often it was stopped: a training may end before the last signals.
    """
    for kill in range(kills + 1):
        process = start(folder, last=bool(points(folder)))
        if kill < kills:
            before = set(points(folder))
            while process.poll() is None and not set(points(folder)) - before:
                time.sleep(0.02)
            time.sleep(generator.uniform(0.0, 0.4))
            if process.poll() is None:
                # Terminals and schedulers send to all processes, but the killer of memory to one.
                send = os.kill if number == signal.SIGKILL else os.killpg
                send(process.pid, number)
        told, said = process.communicate(timeout=240)
        if process.returncode != -signal.SIGKILL:  # else a loader's worker may say what it misses
            assert "Traceback" not in said, said[-3000:]
        if process.returncode == 0:
            assert told.count("its page: magenet report") == 1, "said by the first process alone"
            return kill
        if process.returncode == -signal.SIGTERM:  # in the last moments of the process
            assert "`Trainer.fit` stopped" in said, "before the training was complete"
        elif number == signal.SIGKILL:
            assert process.returncode == -signal.SIGKILL
        else:
            assert process.returncode == 128 + number, said
            assert "go on with --ckpt_path" in said
    raise AssertionError("the last training did not end by itself")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Train without a stop, once for all tests that compare with it; return the folder."""

    @functools.cache
    def train(configuration: str) -> Path:
        folder = tmp_path_factory.mktemp("whole")
        (folder / "small.yaml").write_text(configuration)
        run_with_kills(folder, 0, signal.SIGTERM, random.Random(0))
        return folder

    return train


@pytest.mark.slow
@pytest.mark.parametrize(
    ("length", "workers", "devices", "number", "kills"),
    [
        (EPOCHS, 0, 1, signal.SIGTERM, 2),
        (STEPS, 2, 1, signal.SIGUSR1, 1),
        (EPOCHS, 2, 1, signal.SIGKILL, 2),
        (EPOCHS, 0, 2, signal.SIGTERM, 1),
        (EPOCHS, 2, 1, signal.SIGINT, 1),
        (EPOCHS, 0, 2, signal.SIGKILL, 1),
    ],
    ids=[
        "epochs-SIGTERM", "steps-SIGUSR1", "epochs-SIGKILL", "two-processes-SIGTERM",
        "epochs-SIGINT", "two-processes-SIGKILL",
    ],
)  # fmt: skip
def test_a_stopped_training_goes_on_to_the_same_end(
    tmp_path: Path, uninterrupted: Callable[[str], Path], length: dict[str, int], workers: int,
    devices: int, number: int, kills: int,
) -> None:  # fmt: skip
    (tmp_path / "small.yaml").write_text(layer(length, workers, devices))
    assert run_with_kills(tmp_path, kills, number, random.Random(workers)) > 0
    # Loaders in processes of their own change nothing.
    assert_equal_runs(uninterrupted(layer(length, 0, devices)), tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds the second process in /proc")
@pytest.mark.parametrize("rank", [0, 1])
def test_a_dead_process_of_two_is_told_in_a_sentence(tmp_path: Path, rank: int) -> None:
    (tmp_path / "small.yaml").write_text(layer(EPOCHS | {"max_epochs": 2000}, 0, 2))
    first = start(tmp_path, last=False)
    try:
        while first.poll() is None and not points(tmp_path):
            time.sleep(0.05)
        children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
        os.kill(first.pid if rank == 0 else int(children[0]), signal.SIGKILL)
        _, said = first.communicate(timeout=60)  # until the other process, too, has ended
    finally:
        if first.poll() is None:
            os.killpg(first.pid, signal.SIGKILL)
    assert first.returncode == (-signal.SIGKILL if rank == 0 else 1)
    assert "Traceback" not in said, said[-3000:]
    errors = [line for line in said.splitlines() if line.startswith("magenet: error:")]
    assert len(errors) == 1, said
    assert re.fullmatch(
        r".*another process .* has ended .*; go on with --ckpt_path last", errors[0]
    )
