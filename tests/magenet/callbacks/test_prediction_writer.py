"""The writer: what it writes, in which order it tells, and what goes on meanwhile."""

import csv
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor

from data_modules import PredictionDataModule
from data_modules.datasets.phantom import draw_phantom
from data_modules.datasets.photographs import cut_to_field
from data_modules.files.errors import PictureError
from data_modules.files.memory_estimate import Header, memory_of
from data_modules.files.reading import read_photograph
from data_modules.files.writing import write_photograph
from magenet import allocator
from magenet.callbacks import prediction_writer as writer_module
from magenet.callbacks.prediction_writer import EnhancedPhotographWriter
from magenet.enhancement.folder import results as module
from magenet.enhancement.outcome import Outcome
from magenet.enhancement.page.entries import ReportPage
from magenet.errors import StoppedError
from magenet.imaging.field_of_view import estimate_field
from magenet.imaging.transfer import transfer
from magenet.models import MAGENet
from magenet.tasks import SupervisedTask
from tests.magenet.models.test_mage_net import TINY, awake

HEADER = Header(64, 64, 1, 500 << 20, 50 << 20)
RESIDENT = 700 << 20
ENOUGH = RESIDENT + 2 * memory_of(HEADER) + HEADER.encoding
"""Memory for a batch of two, and for the encoder of one result beside it."""

NAMES = [f"{letter}.png" for letter in "abcdefg"]


class Task(SupervisedTask):
    """Enhance, and note under which conditions."""

    def __init__(self, **options: Any) -> None:
        super().__init__(awake(MAGENet(**TINY)), **options)
        self.steps = 0
        self.second_step = threading.Event()
        self.interrupts = self.terminates = False
        self.conditions: list[tuple[bool, bool, bool]] = []

    def predict_step(self, batch: Any, batch_idx: int) -> list[Outcome]:
        self.steps += 1
        if self.steps == 2:
            self.second_step.set()
            if self.interrupts:
                raise KeyboardInterrupt
            if self.terminates:
                os.kill(os.getpid(), signal.SIGTERM)
        weights = [p for p in self.prediction_network.parameters() if p.ndim == 4]
        last = all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)
        autocast = torch.is_autocast_enabled("cpu")
        self.conditions.append((torch.is_inference_mode_enabled(), autocast, last))
        return super().predict_step(batch, batch_idx)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for seed, name in enumerate(NAMES):
        write_photograph(draw_phantom(seed, 64).image, tmp_path / "in" / name)
    return tmp_path / "in"


def data(source: Path) -> PredictionDataModule:
    return PredictionDataModule(str(source), batch_size=2, workers=0)


def predict(
    task: Task,
    source: Path,
    precision: Any = "32-true",
    threads: int = 2,
    overwrite: bool = False,
    max_memory: str = "4G",
) -> list[str]:
    """Enhance a folder and return what failed."""
    folder = str(source.parent / "out")  # drawn retinas of 64 px look like no fundus
    writer = EnhancedPhotographWriter(
        folder,
        threads=threads,
        force=True,
        size=48,
        raw=True,
        overwrite=overwrite,
        max_memory=max_memory,
    )
    Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, callbacks=[writer], precision=precision,
    ).predict(task, datamodule=data(source), return_predictions=False)  # fmt: skip
    return writer.failures


def report(source: Path, listing: str = "enhance.csv") -> list[tuple[str, str]]:
    with (source.parent / "out" / listing).open() as stream:
        return [(row["name"], row["status"]) for row in csv.DictReader(stream)]


def test_results_are_those_of_one_pass_carried_over_by_hand(source: Path) -> None:
    task = Task()
    assert predict(task, source) == []
    assert report(source) == [(name, "enhanced") for name in NAMES]
    for name in NAMES:
        original = read_photograph(source / name)
        field = estimate_field(original)
        cut = cut_to_field(original, field, 48)
        inside = cut["mask_fov"].float()
        seen = cut["image"].float() / 255 * inside
        with torch.inference_mode():
            enhanced = task(seen[None]).image[0] * inside
        wanted = transfer(enhanced, seen, inside, original, field)
        assert torch.equal(read_photograph(source.parent / "out" / name), wanted), name
        assert not torch.equal(wanted, original)
        assert json.loads((source.parent / "out" / f"{name}.json").read_text())["name"] == name


def test_the_network_works_while_results_are_written(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Task()
    overlapped, running, most = [], 0, 0
    lock = threading.Lock()

    def slowly(image: Tensor, path: Path, photograph: Path, *rest: Any) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if path.name in NAMES[:2]:
            overlapped.append(task.second_step.wait(timeout=20))
        time.sleep(0.02)
        write_photograph(image, path, photograph, *rest)
        with lock:
            running -= 1

    monkeypatch.setattr(module, "write_photograph", slowly)
    assert predict(task, source, threads=3) == []
    assert overlapped == [True, True], "the second batch did not wait for the first one's files"
    assert most <= 3


@pytest.mark.parametrize(
    ("allowed", "waits"), [(4 << 30, True), (1 << 30, False), (ENOUGH, True), (ENOUGH - 1, False)]
)
def test_results_wait_only_beside_what_the_next_photographs_need(
    source: Path, monkeypatch: pytest.MonkeyPatch, allowed: int, waits: bool
) -> None:
    task, written, early = Task(), [], []
    predict_step = task.predict_step

    def slowly(image: Tensor, path: Path, *rest: Any) -> None:
        if path.name in NAMES[1::2]:  # the second of a batch
            task.second_step.wait(20 if waits else 0.5)
        write_photograph(image, path, *rest)
        written.append(path.name)

    def noted(batch: Any, batch_idx: int) -> list[Outcome]:
        early.append(len(written) < 2 * batch_idx)
        return predict_step(batch, batch_idx)

    def header(path: Path) -> Header:
        return HEADER

    monkeypatch.setattr(module, "write_photograph", slowly)
    monkeypatch.setattr(writer_module, "read_header", header)
    # The process itself may hold more by now: it has run other tests.
    monkeypatch.setattr(allocator, "resident", lambda: RESIDENT)
    monkeypatch.setattr(task, "predict_step", noted)
    assert predict(task, source, max_memory=f"{allowed}") == []
    assert any(early[:-1]) == waits, "the last batch is smaller"
    assert report(source) == [(name, "enhanced") for name in NAMES]


def test_an_error_in_a_thread_is_told_and_the_order_kept(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def moody(image: Tensor, path: Path, photograph: Path, *rest: Any) -> None:
        time.sleep({"a.png": 0.2, "c.png": 0.1}.get(path.name, 0.0))
        if path.name == "b.png":
            raise PictureError(f"{path}: cannot be written (disk full)")
        if path.name == "c.png":
            raise RuntimeError("out of memory")
        write_photograph(image, path, photograph, *rest)

    monkeypatch.setattr(module, "write_photograph", moody)
    (source / "e.png").write_text("not a picture")
    failures = predict(Task(), source)
    failed = {"b.png": "disk full", "c.png": "out of memory", "e.png": "as a picture"}
    for failure, (name, reason) in zip(failures, failed.items(), strict=True):
        assert name in failure
        assert reason in failure
    wanted = [(name, "failed" if name in failed else "enhanced") for name in NAMES]
    assert report(source) == wanted
    written = {path.name for path in (source.parent / "out").iterdir()}
    reports = {f"{name}.json" for name in NAMES}
    assert written == {*NAMES, *reports, "enhance.csv"} - failed.keys(), "and no half file"


@pytest.fixture
def interrupt_handler() -> Iterator[None]:
    """Lightning turns Ctrl+C off when it has seen one."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("interrupt_handler")
def test_an_interrupted_run_finishes_and_tells_what_it_has_begun(
    source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def slowly(image: Tensor, path: Path, photograph: Path, *rest: Any) -> None:
        time.sleep(0.2)
        if path.name == "b.png":
            raise PictureError(f"{path}: cannot be written (disk full)")
        write_photograph(image, path, photograph, *rest)

    monkeypatch.setattr(module, "write_photograph", slowly)
    task = Task()
    task.interrupts = True
    with pytest.raises(SystemExit):
        predict(task, source)
    done = report(source, "enhance.incomplete.csv")
    assert done == [("a.png", "enhanced"), ("b.png", "failed")]
    assert (source.parent / "out/a.png").is_file()
    assert "not enhanced" in capsys.readouterr().err


def test_sigterm_stops_after_the_batch_at_hand(source: Path) -> None:
    task = Task()
    task.terminates = True
    with pytest.raises(StoppedError) as stopped:
        predict(task, source)
    assert stopped.value.status == 143
    done = [(name, "enhanced") for name in NAMES[:4]]
    assert report(source, "enhance.incomplete.csv") == done
    assert {path.name for path in (source.parent / "out").glob("*.png")} == set(NAMES[:4])
    assert predict(Task(), source) == [], "and the folder is free again"
    assert report(source) == [(name, "enhanced") for name in NAMES]


def test_the_result_of_another_photograph_is_not_replaced(source: Path) -> None:
    assert predict(Task(), source) == []
    out = source.parent / "out"
    before = (out / "a.png").read_bytes(), (out / "a.png.json").read_bytes()
    other = source.parent / "other"
    write_photograph(draw_phantom(9, 64).image, other / "a.png")
    (failure,) = predict(Task(), other)
    assert f"is there already, the result of {source / 'a.png'}" in failure
    assert ((out / "a.png").read_bytes(), (out / "a.png.json").read_bytes()) == before
    assert sorted(report(source))[:2] == [("a.png", "enhanced"), ("a.png", "failed")]
    assert predict(Task(), other, overwrite=True) == []
    assert json.loads((out / "a.png.json").read_text())["source"] == str(other / "a.png")


def test_a_page_of_magenet_enhance_does_not_look_current(source: Path) -> None:
    out = source.parent / "out"
    out.mkdir()
    with ReportPage(out / "report.html") as page:
        page.finish()
    assert predict(Task(), source) == []
    assert [path.name for path in out.glob("*.html")] == ["report.earlier.html"]


@pytest.mark.parametrize(("precision", "half"), [("bf16-mixed", True), ("32-true", False)])
def test_prediction_is_inference_in_the_precision_asked_for(
    source: Path, precision: str, half: bool
) -> None:
    task = Task()
    assert predict(task, source, precision) == []
    assert set(task.conditions) == {(True, half, True)}
    assert task.photograph_enhancer.half == half


def test_no_thread_is_refused() -> None:
    with pytest.raises(ValueError, match="threads must be at least 1"):
        EnhancedPhotographWriter(threads=0)
