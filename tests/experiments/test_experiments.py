"""Every YAML runs: fit, validate, test, predict, through the real command line."""

import csv
import importlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
import yaml
from jsonargparse import ArgumentParser
from PIL import Image

from data_modules.io import read_photograph, write_photograph
from data_modules.phantom import draw_phantom
from magenet.inference.photograph import Settings
from magenet.main import main
from magenet.metrics import NaturalnessModel
from magenet.models import MAGENet
from magenet.scoring import Judge
from tests.conftest import ROOT
from tests.experiments.conftest import script

EXPERIMENTS = ROOT / "experiments"
BASE = EXPERIMENTS / "base.yaml"
TINY = EXPERIMENTS / "model/tiny.yaml"
PHANTOMS = EXPERIMENTS / "phantoms/mean_teacher.yaml"

# The layers below an experiment that make it small: the code paths stay the experiment's own.
# Of a test or validation two batches: `1` would be read as all of them.
LIMITS = """
trainer:
  accelerator: cpu
  devices: 1
  max_steps: 2
  max_epochs: -1
  limit_train_batches: 2
  limit_val_batches: 2
  limit_test_batches: 2
  val_check_interval: null
  check_val_every_n_epoch: 1
  enable_progress_bar: false
"""
SMALL = """
data:
  init_args:
    image_size: 48
    batch_size: 2
    workers: 0
"""
# Networks that experiments/model/tiny.yaml, a MAGE-Net, cannot stand for.
SMALL_PEERS = {
    "magenet.models.peers.MPRNet": """
model:
  init_args:
    network:
      init_args: {width: 8, growth: 4, extra: 4, blocks: 1}
"""
}
EVERY = sorted(p.relative_to(EXPERIMENTS).as_posix() for p in EXPERIMENTS.rglob("*.yaml"))
ALONE = [
    p for p in EVERY if p.split("/")[0] in ("phantoms", "photographs", "peers", "judges", "grading")
]
PROTOCOL = "comparison/protocol.yaml"
COMPARED = [p for p in EVERY if p.startswith("comparison/") and p != PROTOCOL]
TABLES = [p for p in EVERY if p.startswith("tables/")]
RELEASE = "release/mage_net.yaml"
TEACHER = ["teacher/adaptation.yaml", "teacher/pairs.yaml"]
LAYERS = [p for p in EVERY if p.split("/")[0] in ("model", "data", "debug", "logging", "cluster")]


def test_no_config_is_forgotten() -> None:
    rest = ["base.yaml", "predict.yaml", PROTOCOL]
    known = [*ALONE, *COMPARED, *TABLES, RELEASE, *TEACHER, *LAYERS, *rest]
    assert sorted(known) == EVERY


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh working folder, and the variables that configs may use."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAGENET_DATA", str(photographs))
    monkeypatch.setenv("MAGENET_GOOD", str(photographs / "hrf"))
    monkeypatch.setenv("MAGENET_REAL", str(photographs / "hygd"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    (tmp_path / "limits.yaml").write_text(LIMITS)
    (tmp_path / "small.yaml").write_text(SMALL)
    with mock.patch.dict(os.environ):  # DDP leaves its port there, and a process group behind
        yield tmp_path
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def configs(*layers: Path | str) -> list[str]:
    return [part for layer in layers for part in ("--config", str(layer))]


def run_all(layers: list[str], photographs: Path, *, enhances: bool = True) -> None:
    """Fit, validate, test and predict as a person would, each from the run's own files."""
    assert main(["fit", *layers]) == 0
    runs = sorted(Path("runs").rglob("config.yaml"))
    assert len(runs) == 1
    checkpoints = sorted(Path("runs").rglob("best.ckpt"))
    assert len(checkpoints) == 1
    again = [*configs(runs[0]), "--ckpt_path", str(checkpoints[0])]
    assert main(["validate", *again]) == 0
    assert main(["test", *again]) == 0
    if enhances:
        assert len(list(Path("runs").rglob("scores.csv"))) == 1
        assert main(predict(photographs / "hygd", Path("out"), checkpoints[0])) == 0
        assert len(list(Path("out").glob("eye_*.png"))) == 4


def predict(source: Path, folder: Path, checkpoint: Path | None = None) -> list[str]:
    arguments = [
        "predict", *configs(BASE, EXPERIMENTS / "predict.yaml"), "--data.photographs", str(source),
        "--data.workers", "0", "--output.folder", str(folder),
        "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false",
    ]  # fmt: skip
    return arguments if checkpoint is None else [*arguments, "--ckpt_path", str(checkpoint)]


def segmenter_for(model: dict[str, Any]) -> list[str]:
    """Train what a structure target reads, and return the arguments that say where it is."""
    target = model.get("structure_target", {})
    if "checkpoint" not in target.get("init_args", {}) if isinstance(target, dict) else True:
        return []
    trains = EXPERIMENTS / "photographs/segmenter.yaml"
    assert main(["fit", *configs(BASE, trains, "limits.yaml", "small.yaml")]) == 0
    Path("runs").rename("segmenter")
    checkpoint = next(Path("segmenter").rglob("best.ckpt"))
    return ["--model.structure_target.checkpoint", str(checkpoint)]


@pytest.mark.parametrize("name", COMPARED)
def test_compared(name: str, photographs: Path) -> None:
    model = yaml.safe_load((EXPERIMENTS / name).read_text())["model"]["init_args"]
    layers = configs(BASE, EXPERIMENTS / PROTOCOL, EXPERIMENTS / name, "limits.yaml", "small.yaml")
    run_all([*layers, *segmenter_for(model)], photographs)


def test_release(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts from what the comparison leaves, and is published with what it needs for use."""
    compared = EXPERIMENTS / "comparison/mage_net.yaml"
    target = segmenter_for(yaml.safe_load(compared.read_text())["model"]["init_args"])
    small = [*configs(TINY, "limits.yaml", "small.yaml"), *target]
    version = ["--trainer.logger.version", "seed0"]
    first = configs(BASE, EXPERIMENTS / PROTOCOL, compared)
    assert main(["fit", *first, *small, *version]) == 0
    assert main(["fit", *configs(BASE, EXPERIMENTS / RELEASE), *small]) == 0
    monkeypatch.setenv("MAGENET_DATA", str(photographs))
    vessels = str(EXPERIMENTS / "weights/vessels.ckpt")
    own = ["--size", "64", "--out", "weights", "--results", ".", "--vessels", vessels]
    script("release/publish").main(own)
    network = MAGENet.from_pretrained("weights/mage_net")
    assert Settings.of(network).size == 64
    assert "Spearman" in Path("uncertainty.md").read_text()
    light = Settings.of(network).light
    assert 0.0 <= min(light.y) <= max(light.y) <= 1.0
    sizes = ["--weights", "weights/mage_net", "--sizes", "64", "96", "--results", "."]
    script("release/sizes").main([*sizes, "--count", "1"])
    assert Path("input_size.md").read_text().count("px |") == 2


def test_what_is_published_of_noisy_measurements_is_their_mean() -> None:
    """Errors drawn about a known curve come back as the curve, and never fall."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(20000, generator=generator) * 0.1
    y = 0.01 + 3 * x**2 + 0.01 * torch.rand(20000, generator=generator)
    line = script("release/publish").fitted(x, y, torch.ones_like(x))
    middle = torch.linspace(0.01, 0.09, 9)
    torch.testing.assert_close(line(middle), 0.015 + 3 * middle**2, atol=1.5e-3, rtol=0)
    assert bool((line(torch.linspace(-1, 1, 500)).diff() >= 0).all())


def test_measurements_that_are_all_alike_still_give_a_line() -> None:
    fitted = script("release/publish").fitted
    for x in (torch.linspace(0, 1, 24).round(), torch.zeros(24)):
        line = fitted(x, torch.full((24,), 0.02), torch.ones(24))
        torch.testing.assert_close(line(torch.tensor([0.0, 0.5, 1.0])), torch.full((3,), 0.02))


def test_a_photographs_expected_error_is_by_a_line_that_did_not_see_it() -> None:
    """Every other photograph errs twice as much: each half is expected to err as the other."""
    publish = script("release/publish")
    doubt = torch.linspace(0.01, 0.1, 50).repeat(8, 1)
    factor = torch.tensor([1.0, 1.0, 2.0, 2.0]).repeat(2)[:, None]  # two degradations of each
    error = factor * doubt
    measured = publish.Measured(doubt, {}, error, error.mean(dim=1), list(doubt))
    torch.testing.assert_close(
        publish.expected_elsewhere(measured), (3.0 - factor[:, 0]) * doubt.mean(), rtol=0.02, atol=0
    )


def test_a_change_that_was_half_right_is_half_applied() -> None:
    publish = script("release/publish")
    sizes = torch.linspace(0.01, 0.2, 48)
    found = [publish.Change(s, 0.5 * s**2, s**2) for s in sizes]
    torch.testing.assert_close(publish.shares(found)(sizes), torch.full((48,), 0.5))
    wrong = [publish.Change(s, -(s**2), s**2) for s in sizes]
    assert float(publish.shares(wrong)(sizes).abs().max()) == 0.0


@pytest.mark.parametrize("name", TABLES)
def test_the_judges_of_a_table_are_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    parser = ArgumentParser()
    parser.add_subclass_arguments(Judge, "judge")
    for judge in yaml.safe_load((EXPERIMENTS / name).read_text())["scores"]["judges"]:
        parser.instantiate(parser.parse_object({"judge": judge})).judge.load()


@pytest.mark.parametrize("name", TABLES)
def test_table(name: str, photographs: Path) -> None:
    judges = yaml.safe_load((EXPERIMENTS / name).read_text())["scores"]["judges"]
    for judge in judges:
        given = judge.get("init_args", {})
        if judge["class_path"].endswith("NaturalnessJudge"):
            Path(given["path"]).parent.mkdir(parents=True, exist_ok=True)
            NaturalnessModel(torch.zeros(36), torch.eye(36), 8).save(given["path"])
        if "checkpoint" not in given:
            continue
        path, kind = given["network"]["class_path"].rsplit(".", 1)
        network = getattr(importlib.import_module(path), kind)(**given["network"]["init_args"])
        checkpoint = Path(given["checkpoint"])
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        weights = {f"network.{key}": value for key, value in network.state_dict().items()}
        torch.save({"state_dict": weights}, checkpoint)
    children = Path("experiments/tables/chase_db1_children.csv")
    children.parent.mkdir(parents=True)
    children.write_text((EXPERIMENTS / "tables/chase_db1_children.csv").read_text())
    Path("small.yaml").write_text(SMALL + "    scored_size: 96\n")
    setiawan = EXPERIMENTS / "peers/setiawan.yaml"
    layers = configs(BASE, setiawan, EXPERIMENTS / name, "limits.yaml", "small.yaml")
    assert main(["test", *layers]) == 0
    folder = next(Path("runs").rglob("results.json")).parent
    assert {line["subject"] for line in json.loads((folder / "results.json").read_text())} >= {
        "input", "student",
    }  # fmt: skip
    facts = json.loads((folder / "provenance.json").read_text())
    assert facts["chosen"] == "nothing to choose"
    with (folder / "scores.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) >= 4


@pytest.mark.parametrize("name", [name for name in ALONE if not name.startswith("peers")])
def test_experiment(name: str, photographs: Path) -> None:
    layers = configs(BASE, EXPERIMENTS / name, "limits.yaml", "small.yaml")
    if "segmenter" in name or name.startswith(("judges/", "grading/")):
        run_all(layers, photographs, enhances=False)
        return
    model = yaml.safe_load((EXPERIMENTS / name).read_text())["model"]["init_args"]
    kind = model["network"]["class_path"]
    if kind in SMALL_PEERS:
        Path("small_peer.yaml").write_text(SMALL_PEERS[kind])
        layers += configs("small_peer.yaml")
    else:
        layers += configs(TINY)
    run_all([*layers, *segmenter_for(model)], photographs)
    ran = yaml.safe_load(next(Path("runs").rglob("config.yaml")).read_text())["model"]["init_args"]
    assert ran["network"]["class_path"] == kind, "a small layer must not swap the network"


@pytest.mark.parametrize("name", [name for name in ALONE if name.startswith("peers")])
def test_peer(name: str, photographs: Path) -> None:
    layers = configs(BASE, EXPERIMENTS / name, "limits.yaml", "small.yaml")
    assert main(["validate", *layers]) == 0
    assert main(["test", *layers]) == 0
    assert len(list(Path("runs").rglob("scores.csv"))) == 1
    assert main(["fit", *layers]) == 1


@pytest.mark.parametrize("name", LAYERS)
def test_layer(
    name: str, photographs: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "logging/wandb.yaml" and importlib.util.find_spec("wandb") is None:
        pytest.skip("needs the extra: pip install 'magenet[wandb]'")
    if name == "data/stream.yaml":
        folder = request.getfixturevalue("shards")
        monkeypatch.setenv("MAGENET_GOOD_SHARDS", str(folder / "good"))
        monkeypatch.setenv("MAGENET_REAL_SHARDS", str(folder / "real"))
    # After our limits, so that the layer's own hold; only the size of the data comes later.
    layers = configs(BASE, PHANTOMS, TINY, "limits.yaml", EXPERIMENTS / name, "small.yaml")
    if name == "debug/overfit.yaml":
        layers += ["--trainer.max_epochs", "2", "--trainer.check_val_every_n_epoch", "1"]
    if name == "data/folder.yaml":
        layers += ["--trainer.max_steps", "2"]
    run_all(layers, photographs)
    if name == "logging/wandb.yaml":
        assert list(Path("runs").rglob("*.wandb")), "an offline run"
        assert list(Path("runs/wandb").rglob("config.yaml")), "beside the CSV"


@pytest.fixture
def checkpoint(photographs: Path) -> Path:
    layers = configs(BASE, EXPERIMENTS / "phantoms/mean_teacher.yaml", "limits.yaml", "small.yaml")
    assert main(["fit", *layers, "--trainer.limit_val_batches", "1"]) == 0
    return next(Path("runs").rglob("best.ckpt"))


def test_prediction_of_a_mixed_folder(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    phantom = draw_phantom(1, 120)
    picture = Image.fromarray(phantom.image.permute(1, 2, 0).numpy()).crop((0, 5, 120, 110))
    exif = picture.getexif()
    exif[0x010F] = "Topcon"
    picture.save(source / "good.png", exif=exif)
    (source / "sub").mkdir()
    picture.save(source / "sub/good.jpg", quality=95)
    (source / "text.jpg").write_text("not a picture")
    picture.save(source / "cut.jpg")
    (source / "cut.jpg").write_bytes((source / "cut.jpg").read_bytes()[:700])
    Image.new("RGB", (1, 1)).save(source / "dot.png")
    Image.fromarray(phantom.image[1].numpy().astype("uint16") * 257).save(source / "wide.png")
    (source / "notes.txt").write_text("no picture and none meant")

    assert main(predict(source, tmp_path / "out", checkpoint)) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if "not enhanced" in line]
    assert len(errors) == 3
    for name in ("text.jpg", "cut.jpg", "dot.png"):
        assert any(name in line for line in errors), name
    written = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")}
    assert written == {"good.png", "sub/good.jpg", "wide.png", "report.csv"}
    with Image.open(tmp_path / "out/good.png") as result:
        assert result.size == picture.size
        assert result.getexif()[0x010F] == "Topcon"
    with (tmp_path / "out/report.csv").open() as stream:
        report = {row["name"]: row for row in csv.DictReader(stream)}
    assert {name: row["status"] for name, row in report.items()} == {
        "good.png": "enhanced", "sub/good.jpg": "enhanced", "wide.png": "enhanced",
        "text.jpg": "failed", "cut.jpg": "failed", "dot.png": "failed",
    }  # fmt: skip
    assert "not a picture" in report["text.jpg"]["reason"]


def test_the_original_is_never_overwritten(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_photograph(draw_phantom(1, 64).image, tmp_path / "in/eye.png")
    before = (tmp_path / "in/eye.png").read_bytes()
    one = tmp_path / "in/eye.png"
    assert main(predict(one, tmp_path / "in", checkpoint)) == 1
    assert "would replace the photograph" in capsys.readouterr().err
    assert (tmp_path / "in/eye.png").read_bytes() == before


def test_a_prediction_without_a_checkpoint_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_photograph(draw_phantom(1, 64).image, tmp_path / "in/eye.png")
    arguments = [*predict(tmp_path / "in", tmp_path / "out"), "--data.image_size", "48"]
    assert main(arguments) == 1
    assert "predict needs a trained network: give its --ckpt_path" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_the_checkpoint_overrules_is_said(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = next(Path("runs").rglob("config.yaml"))
    arguments = ["test", *configs(run), "--ckpt_path", str(checkpoint)]
    assert main([*arguments, "--model.consistency_weight", "0.7"]) == 0
    told = capsys.readouterr().err
    assert "from the checkpoint: model.init_args.consistency_weight = 0.2 (asked for: 0.7)" in told


def test_a_manifest_limits_what_is_enhanced(checkpoint: Path, photographs: Path) -> None:
    source = photographs / "index.csv"
    chosen = [*predict(source, Path("out"), checkpoint), "--data.qualities", "[usable]"]
    assert main([*chosen, "--data.splits", "[val]", "--data.sets", "[hygd, idrid]"]) == 0
    assert len(list(Path("out").rglob("eye_*.png"))) == 2


def test_no_machine_is_assumed() -> None:
    for name in EVERY:
        assert not re.search(r"[\s\"'](/|~/)\w", (EXPERIMENTS / name).read_text()), name


def test_a_result_never_lands_among_the_photographs(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_photograph(draw_phantom(1, 64).image, tmp_path / "in/eye.png")
    assert main(predict(tmp_path / "in", tmp_path / "in/out", checkpoint)) == 1
    assert "lies inside it" in capsys.readouterr().err


def test_lossless_files_keep_every_bit_outside_the_field(checkpoint: Path, tmp_path: Path) -> None:
    phantom = draw_phantom(1, 120)
    mask = phantom.field.mask.expand(3, -1, -1).to(torch.uint8) * 255
    noisy = phantom.image.clone()
    noisy[mask == 0] = torch.randint(0, 12, (int((mask == 0).sum()),), dtype=torch.uint8)
    write_photograph(noisy, tmp_path / "in/eye.jpg")
    write_photograph(mask, tmp_path / "in/mask.png")
    (tmp_path / "in/index.csv").write_text("image,fov_mask\neye.jpg,mask.png\n")
    arguments = [*predict(tmp_path / "in/index.csv", tmp_path / "out", checkpoint)]
    assert main([*arguments, "--output.lossless", "true"]) == 0
    before = read_photograph(tmp_path / "in/eye.jpg")
    after = read_photograph(tmp_path / "out/eye.png")
    assert torch.equal(after[mask == 0], before[mask == 0])
    assert not torch.equal(after, before)


def run_alone(arguments: list[str], place: Path) -> tuple[int, list[str]]:
    """Run the command in a process and folder of its own; return its status and what it said."""
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "magenet.main", *arguments],
        cwd=place, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        _, said = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGABRT)  # each rank then tells where it stands
        raise AssertionError(f"still running: {process.communicate()[1][-6000:]}") from None
    assert "Traceback" not in said, said[-3000:]
    return process.returncode, [x for x in said.splitlines() if x.startswith("magenet:")]


@pytest.mark.ddp
def test_two_ranks_write_what_one_writes(checkpoint: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    for seed, name in enumerate(("a.jpg", "a.tif", "c.png", "sub/d.png", "sub/e.png")):
        write_photograph(draw_phantom(seed, 64).image, source / name)
    (source / "b.png").write_text("not a picture")
    names = ["a.jpg", "a.tif", "b.png", "c.png", "sub/d.png", "sub/e.png"]
    content = torch.load(checkpoint, weights_only=True)
    for weight in content["state_dict"].values():
        if weight.ndim == 4:  # after two steps a network still changes next to nothing
            weight.normal_(std=0.1)
    torch.save(content, checkpoint)
    # One photograph a batch: sums in a network may round otherwise in another batch.
    arguments = [*predict(source, Path("out"), checkpoint.resolve()), "--data.batch_size", "1"]
    arguments += ["--data.workers", "1", "--output.lossless", "true"]
    files = []
    for ranks, strategy in (("1", "auto"), ("2", "ddp")):
        folder = tmp_path / ranks / "out"
        folder.mkdir(parents=True)
        (folder / "report.part7.csv").write_text("left by a run that was killed")
        several = ["--trainer.devices", ranks, "--trainer.strategy", strategy]
        status, told = run_alone([*arguments, *several], folder.parent)
        assert status == 1
        assert len(told) == 2, "each failure once"
        assert "a.png: is already taken" in told[0], "a.tif is the later one, on whichever rank"
        assert "b.png: not a picture" in told[1]
        written = [path for path in folder.rglob("*") if path.is_file()]
        files.append({p.relative_to(folder).as_posix(): p.read_bytes() for p in written})
        with (folder / "report.csv").open() as stream:
            report = [(row["name"], row["status"]) for row in csv.DictReader(stream)]
        failed = ("a.tif", "b.png")
        assert report == [(n, "failed" if n in failed else "enhanced") for n in names]
    assert files[0].keys() == {"a.png", "c.png", "sub/d.png", "sub/e.png", "report.csv"}
    assert files[0] == files[1], "bit for bit, the report too"
    before = read_photograph(source / "c.png")
    assert not torch.equal(read_photograph(tmp_path / "1/out/c.png"), before), "it did change"


@pytest.mark.ddp
def test_more_ranks_than_photographs_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    write_photograph(draw_phantom(1, 64).image, tmp_path / "in/eye.png")
    arguments = predict(tmp_path / "in", tmp_path / "out", checkpoint)
    several = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    status, told = run_alone([*arguments, *several], tmp_path)
    assert status == 1
    assert "1 photograph(s) for 2 devices; use --trainer.devices 1" in told[0]
    assert not (tmp_path / "out").exists()
