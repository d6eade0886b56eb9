"""`magenet adapt` as a person meets it, on photographs of a camera that does not exist."""

import csv
import json
import os
import shutil
import signal
import stat
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from data_modules.datasets.manifest import Photograph
from data_modules.files.writing import write_photograph
from magenet.adaptation import judgement, run
from magenet.adaptation.judgement import HeldOutComparison
from magenet.adaptation.manifests import write_manifests
from magenet.adaptation.private_folder import private_folder
from magenet.adaptation.survey import MINIMUM_PHOTOGRAPHS, Surveyed
from magenet.adaptation.training import Trained
from magenet.errors import UserError
from magenet.evaluation.statistics import Comparison
from magenet.main import main
from magenet.models import MAGENet
from magenet.stop_signals import SIGNALS
from tests.magenet.conftest import retina

GAIN = Comparison(1.0, 0.5, 1.5, wins=5, ties=0, losses=0, p=0.01)
KEPT = Comparison(0.0, 0.0, 0.0, wins=0, ties=5, losses=0, p=1.0)
BETTER = HeldOutComparison(GAIN, KEPT, KEPT, KEPT, KEPT)
WEIGHTS = ("config.json", "model.safetensors", "README.md")


@pytest.fixture(autouse=True)
def one_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge quickly."""
    monkeypatch.setattr(judgement, "DRAWS", 1)


def adapt(camera: Path, out: Path, weights: Path) -> int:
    arguments = ["adapt", camera, "-o", out, "--weights", weights, "--steps", "3"]
    return main([str(argument) for argument in arguments])


@pytest.mark.slow
@pytest.mark.parametrize("which", ["weights", "own_scale_weights"])
def test_it_trains_judges_and_says_so(
    camera: Path,
    which: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    recwarn: pytest.WarningsRecorder,
) -> None:
    weights: Path = request.getfixturevalue(which)
    out, manifests = tmp_path / "own", {}

    def read_manifests(*given: Any) -> tuple[Path, Path]:
        paths = write_manifests(*given)
        manifests.update({p.stem: list(csv.DictReader(p.read_text().splitlines())) for p in paths})
        return paths

    monkeypatch.setattr(run, "write_manifests", read_manifests)
    assert adapt(camera, out, weights) == 0
    verdict = json.loads((out / "verdict.json").read_text())
    said = capsys.readouterr().out
    for_programmers = ("eval mode at the start of training", "LeafSpec")
    assert not [w for w in recwarn if any(words in str(w.message) for words in for_programmers)]
    assert ("keep the released weights" in said) != verdict["better"]
    assert ("not better: " in said) == bool(verdict["faults"]) != verdict["better"]
    assert (out / "model.safetensors").exists() == verdict["better"]
    training, judging = manifests["training"], manifests["judging"]
    clean = [row["image"] for row in (*training, *judging) if row["quality"] == "good"]
    assert len(set(clean)) == len(clean) == MINIMUM_PHOTOGRAPHS / 2
    assert not any(Path(name).is_absolute() for name in clean), "as they are enhanced"
    assert sum(row["quality"] == "usable" for row in judging) == MINIMUM_PHOTOGRAPHS / 3
    assert sum(row["quality"] == "good" for row in judging) >= 6, "a test can tell from chance"
    for rows, split in ((training, "train"), (judging, "val")):
        assert {row["split"] for row in rows} == {split}
        assert "good" in {row["quality"] for row in rows}
    assert {path.name for path in out.iterdir()} <= {"verdict.json", *WEIGHTS}
    assert adapt(camera, camera.parent / "none", weights.parent / "nowhere") == 1
    capsys.readouterr()


@pytest.fixture
def surveyed(camera: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Spare the survey; return the folder that temporary files go to."""
    images = sorted(camera.glob("*.png"))
    found = [
        Surveyed(Photograph(image, image.name), image, "ok", float(index))
        for index, image in enumerate(images)
    ]
    monkeypatch.setattr(run, "survey", lambda *rest: found)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


def test_what_tells_patients_is_private_and_never_beside_the_weights(
    camera: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, surveyed: Path
) -> None:
    out, seen = tmp_path / "own", []

    def train(network: MAGENet, manifest: Path, *rest: Any) -> Trained:
        assert stat.S_IMODE(manifest.parent.stat().st_mode) == 0o700
        assert manifest.parent.parent == surveyed
        assert "0.png" in manifest.read_text()
        seen.append(manifest)
        return Trained(network, 7)

    monkeypatch.setattr(run, "train", train)
    monkeypatch.setattr(run, "compare_held_out", lambda *rest: BETTER)
    before, handler = os.umask(0o027), signal.getsignal(signal.SIGTERM)
    try:
        assert adapt(camera, out, weights) == 0
    finally:
        os.umask(before)
    assert signal.getsignal(signal.SIGTERM) is handler
    assert len(seen) == 1
    assert not list(surveyed.iterdir())
    assert {path.name for path in out.iterdir()} == {"verdict.json", *WEIGHTS}
    verdict = json.loads((out / "verdict.json").read_text())
    assert (verdict["photographs"], verdict["steps"]) == (60, 7)
    for path in out.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o640, path.name
        content = path.read_bytes()
        assert str(camera).encode() not in content
        assert not any(image.name.encode() in content for image in camera.iterdir())


def test_no_verdict_without_the_weights_it_is_on(
    camera: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def full(*rest: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run, "train", lambda network, *rest: Trained(network, 7))
    monkeypatch.setattr(run, "compare_held_out", lambda *rest: BETTER)
    monkeypatch.setattr(MAGENet, "save_pretrained", full)
    assert adapt(camera, tmp_path / "own", weights) == 1
    assert "the adapted weights cannot be written" in capsys.readouterr().err
    assert not list((tmp_path / "own").iterdir())


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("stopped", [None, signal.SIGTERM, signal.SIGHUP])
def test_nothing_of_patients_is_left_where_it_stops(
    camera: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], surveyed: Path, stopped: int | None,
) -> None:  # fmt: skip
    def train(network: MAGENet, manifest: Path, *rest: Any) -> Trained:
        (manifest.parent / "cache").mkdir()
        (manifest.parent / "cache" / "photograph").write_text("of a patient")
        if stopped:
            os.kill(os.getpid(), stopped)
            time.sleep(5)
        raise UserError("the training broke")

    monkeypatch.setattr(run, "train", train)
    handlers = [signal.getsignal(number) for number in SIGNALS]
    assert adapt(camera, tmp_path / "own", weights) == (128 + stopped if stopped else 1)
    said = capsys.readouterr().err
    assert ("stopped; no weights" if stopped else "the training broke") in said
    assert not list(surveyed.iterdir())
    assert not list((tmp_path / "own").iterdir())
    assert [signal.getsignal(number) for number in SIGNALS] == handlers


def test_a_second_signal_does_not_stop_the_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = shutil.rmtree

    def impatient(folder: Path, **options: Any) -> None:
        for number in SIGNALS:
            os.kill(os.getpid(), number)
        remove(folder, **options)

    monkeypatch.setattr(shutil, "rmtree", impatient)
    with private_folder() as folder:
        (folder / "photograph").touch()
    assert not folder.exists()


@pytest.mark.parametrize("name", ["README.md", "config.json", "model.safetensors"])
def test_no_file_of_the_user_is_replaced(
    camera: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / name).write_text("mine")
    (tmp_path / "project/writable").write_text("mine")
    assert adapt(camera, tmp_path / "project", weights) == 1
    assert "choose another folder" in capsys.readouterr().err
    assert {path.read_text() for path in (tmp_path / "project").iterdir()} == {"mine"}


@pytest.mark.parametrize("better", [True, False])
@pytest.mark.slow
def test_weights_are_written_only_if_they_are_better(
    camera: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, better: bool
) -> None:
    result = BETTER if better else BETTER._replace(psnr=KEPT)
    monkeypatch.setattr(run, "compare_held_out", lambda *rest: result)
    assert adapt(camera, tmp_path / "own", weights) == 0
    assert (tmp_path / "own" / "model.safetensors").exists() == better
    assert not [path for path in (tmp_path / "own").iterdir() if path.name.startswith("tmp")]
    if better:
        assert adapt(camera, tmp_path / "own", weights) == 1, "weights are never replaced"
        released, own = (MAGENet.from_pretrained(path) for path in (weights, tmp_path / "own"))
        assert own.use == released.use
        pairs = zip(own.parameters(), released.parameters(), strict=True)
        assert any(not torch.equal(a, b) for a, b in pairs)


def test_too_few_patients_are_refused_before_any_work(
    camera: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = sorted(camera.glob("*.png"))
    lines = [f"{image},{index % 17}" for index, image in enumerate(images)]
    (tmp_path / "index.csv").write_text("\n".join(["image,patient", *lines]))
    assert adapt(tmp_path / "index.csv", tmp_path / "own", tmp_path / "no_weights_to_read") == 1
    assert (
        "photographs of 17 patients: a judgement needs good ones of 18" in capsys.readouterr().err
    )
    assert not (tmp_path / "own").exists()


def test_too_few_photographs_are_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_photograph(retina(0, 160), tmp_path / "in" / "a.png")
    assert adapt(tmp_path / "in", tmp_path / "own", tmp_path / "no_weights_to_read") == 1
    assert "photographs given: 1; adapting and judging needs 60" in capsys.readouterr().err
    assert not (tmp_path / "own").exists()


@pytest.mark.slow
def test_too_few_photographs_that_can_be_read_are_refused(
    camera: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photographs = tmp_path / "in"
    shutil.copytree(camera, photographs)
    (photographs / "00.png").write_bytes(b"")
    assert adapt(photographs, tmp_path / "own", weights) == 1
    said = capsys.readouterr().err
    assert "photographs that can be used: 59; adapting and judging needs 60" in said
    assert "left out" in said
    assert not [path for path in (tmp_path / "own").rglob("*") if path.is_file()]
