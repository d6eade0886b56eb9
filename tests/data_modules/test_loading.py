"""Workers outlive the signals by which a run is stopped, and no longer."""

import multiprocessing
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest

from data_modules import PairedDataModule, PhantomPhotographs, PredictionDataModule
from data_modules.loading import PhotographLoader, outlive_signals
from magenet.errors import UserError
from tests.drawn import drawn_folder


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_workers_outlive_the_signals_after_which_a_run_saves(number: str, tmp_path: Path) -> None:
    drawn = PhantomPhotographs(count=12, val_count=8)
    pairs = PairedDataModule(drawn, image_size=32, batch_size=2, workers=1)
    folder = PredictionDataModule(str(drawn_folder(tmp_path, 8)), workers=1)
    for loader in (pairs.train_dataloader(), pairs.val_dataloader(), folder.predict_dataloader()):
        batches = iter(loader)
        next(batches)
        for worker in multiprocessing.active_children():
            assert worker.pid is not None
            os.kill(worker.pid, signal.Signals[number])
        assert len(list(batches)) == len(loader) - 1


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_workers_outlive_the_signals_while_they_start(number: str) -> None:
    def start(worker: int) -> None:
        os.kill(os.getpid(), signal.Signals[number])  # before it can handle it
        outlive_signals(worker)

    dataset = PhantomPhotographs(count=4).dataset("train", 32)
    loader = PhotographLoader(dataset, 2, num_workers=1, worker_init_fn=start)
    assert len(list(loader)) == 2
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []), "the process itself can be stopped"


@pytest.mark.skipif(sys.platform != "linux", reason="batches need no sockets")
@pytest.mark.parametrize("folder", ["long" * 30, "missing"])
def test_a_temporary_folder_that_workers_cannot_use_is_an_error_and_no_wait(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if folder != "missing":
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / folder))
    monkeypatch.setitem(multiprocessing.current_process()._config, "tempdir", None)
    drawn = PhantomPhotographs(count=4)
    with pytest.raises(UserError, match=rf"{folder}: worker .*set TMPDIR"):
        next(iter(PhotographLoader(drawn.dataset("train", 32), 2, num_workers=1)))
    batches = PhotographLoader(drawn.dataset("train", 32), 2)
    assert len(list(batches)) == 2, "without workers all is well"


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
def test_a_worker_that_hangs_still_ends_after_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_modules.loading.GRACE", 1)

    def hang() -> None:
        outlive_signals(0)
        ready.set()
        time.sleep(600)

    context = multiprocessing.get_context("fork")
    ready = context.Event()
    worker = context.Process(target=hang)
    worker.start()
    assert ready.wait(60)
    worker.terminate()
    worker.join(60)
    assert worker.exitcode == -signal.SIGALRM
