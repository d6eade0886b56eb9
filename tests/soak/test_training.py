"""Trainings: killed at random moments, and configured at random."""

from __future__ import annotations

import random
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.configurations import BASE, CONFIGS
from magenet.main import main
from tests.command_line import SMALL, configs
from tests.experiments.test_resume import (
    EPOCHS,
    STEPS,
    assert_equal_runs,
    layer,
    run_with_kills,
)
from tests.soak.ledger import Ledger


@pytest.mark.soak
def test_a_killed_training_ends_with_the_same_bits(tmp_path: Path, ledger: Ledger) -> None:
    promise = ledger.promise(
        "a training that is killed and resumed equals one that was not: weights, teacher, "
        "optimizer, every row of metrics",
        "kill -9, SIGTERM, SIGUSR1, Ctrl-C at random moments; epochs and steps, 0 and 2 workers, "
        "1 and 2 processes",
    )
    generator = random.Random(2)
    cases = [
        (EPOCHS, 0, 1, signal.SIGKILL), (EPOCHS, 2, 1, signal.SIGTERM),
        (STEPS, 0, 1, signal.SIGINT), (STEPS, 2, 1, signal.SIGKILL),
        (EPOCHS, 0, 2, signal.SIGTERM), (STEPS, 2, 2, signal.SIGUSR1),
    ]  # fmt: skip
    for number, (length, workers, devices, kind) in enumerate(cases):
        whole, resumed = tmp_path / f"whole{number}", tmp_path / f"resumed{number}"
        for folder in (whole, resumed):
            folder.mkdir()
            (folder / "small.yaml").write_text(layer(length, workers, devices))
        run_with_kills(whole, 0, kind, generator)
        kills, stopped = 4 if number < 2 else 3, 1
        with promise.attempt(f"{kind.name}, {length}, {workers} workers, {devices} processes"):
            stopped = run_with_kills(resumed, kills, kind, generator)
            assert_equal_runs(whole, resumed)
        promise.tried += stopped - 1
    promise.require_kept()


VALUES = ["-5", "0", "abc", "null", "1e400", "nan", "[]", "{}", "true", "''", "../x", "99999999999"]
KEYS = [
    "trainer.devices", "trainer.max_epochs", "trainer.max_steps", "trainer.precision",
    "trainer.limit_val_batches", "trainer.accelerator", "trainer.gradient_clip_val",
    "data.image_size", "data.batch_size", "data.workers", "data.seed", "data.degradation",
    "model.network", "model.optimizer", "model.warm_up", "model.edge_weight",
    "checkpoint.monitor", "resume_point.every_n_steps", "output.size", "seed_everything",
    "ckpt_path", "scores.judges",
]  # fmt: skip


@pytest.fixture
def bounded() -> Iterator[None]:
    """Spares the machine a network of terabytes."""
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (12 << 30, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, limits)


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("count", [12, pytest.param(120, marks=pytest.mark.soak)])
def test_a_wrong_configuration_is_one_line(
    tmp_path: Path,
    ledger: Ledger,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    count: int,
) -> None:
    promise = ledger.promise(
        "a wrong configuration ends in one line with a status other than 0, without a traceback",
        "random values of random keys, and configuration files with flipped bytes",
    )
    monkeypatch.chdir(tmp_path)
    generator = random.Random(3)
    run = CONFIGS / "runs/phantoms/supervised.yaml"
    quick = "trainer: {fast_dev_run: true, enable_progress_bar: false, accelerator: cpu}\n"
    (tmp_path / "small.yaml").write_text(quick + SMALL)  # for those that are right after all
    for number in range(count):
        layers = configs(BASE, run, "small.yaml")
        if number < 0.75 * count:
            key, value = generator.choice(KEYS), generator.choice(VALUES)
            layers += [f"--{key}={value}"]
            name = layers[-1]
        else:
            content = bytearray(run.read_bytes())
            for _ in range(generator.randrange(1, 8)):
                content[generator.randrange(len(content))] = generator.randrange(256)
            (tmp_path / "changed.yaml").write_bytes(content)
            layers, name = configs(BASE, "changed.yaml", "small.yaml"), f"bytes {number}"
        with promise.attempt(name):
            try:
                status = main(["fit", *layers])
            except SystemExit as stop:
                status = int(stop.code or 0)
            except BaseException as error:
                raise AssertionError(f"{type(error).__name__}: {error}") from None
            said = [
                x for x in capsys.readouterr().err.splitlines() if x.startswith("magenet: error")
            ]
            assert status == 0 or len(said) == 1, said
    promise.require_kept()
