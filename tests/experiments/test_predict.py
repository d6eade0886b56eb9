"""`magenet predict` on folders, manifests and several devices."""

import csv
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from data_modules.datasets.phantom import draw_phantom
from data_modules.files.reading import read_photograph
from data_modules.files.writing import write_photograph
from experiments.configurations import BASE, CONFIGS
from magenet.folder_lock import FolderLock
from magenet.main import main
from tests.command_line import configs, predict, run_alone
from tests.drawn import white

pytestmark = pytest.mark.usefixtures("workplace")


@pytest.fixture
def checkpoint(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint, trained once, of a run in a folder of the test's own."""
    kept = tmp_path_factory.getbasetemp() / "trained_to_predict"
    if kept.is_dir():
        shutil.copytree(kept, "runs", symlinks=True)
    else:
        mean_teacher = CONFIGS / "runs/phantoms/mean_teacher.yaml"
        layers = configs(BASE, mean_teacher, "limits.yaml", "small.yaml")
        assert main(["fit", *layers, "--trainer.limit_val_batches", "1"]) == 0
        shutil.copytree("runs", kept, symlinks=True)
    return next(Path("runs").rglob("best.ckpt"))


def test_a_mixed_folder_is_enhanced_except_its_unreadable_files(
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    phantom = draw_phantom(1, 120)
    picture = Image.fromarray(phantom.image.permute(1, 2, 0).numpy()).crop((0, 5, 120, 110))
    exif = picture.getexif()
    exif[0x010F], exif[0x013B] = "Topcon", "Mustermann"
    picture.save(source / "good.png", exif=exif)
    (source / "sub").mkdir()
    picture.save(source / "sub/good.jpg", quality=95)
    (source / "text.jpg").write_text("not a picture")
    picture.save(source / "cut.jpg")
    (source / "cut.jpg").write_bytes((source / "cut.jpg").read_bytes()[:700])
    Image.new("RGB", (1, 1)).save(source / "dot.png")
    Image.fromarray(phantom.image[1].numpy().astype("uint16") * 257).save(source / "wide.png")
    (source / "notes.txt").write_text("no picture and none meant")

    recwarn.clear()
    assert main(predict(source, tmp_path / "out", checkpoint)) == 1
    warned = [str(warning.message) for warning in recwarn]
    assert not [text for text in warned if "callbacks used to create the checkpoint" in text]
    errors = [line for line in capsys.readouterr().err.splitlines() if "not enhanced" in line]
    assert len(errors) == 3
    for name in ("text.jpg", "cut.jpg", "dot.png"):
        assert any(name in line for line in errors), name
    written = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")}
    reports = {
        f"{name}.json"
        for name in ("good.png", "sub/good.jpg", "wide.png", "text.jpg", "cut.jpg", "dot.png")
    }
    assert written == {"good.png", "sub/good.jpg", "wide.png", "enhance.csv", *reports}
    with Image.open(tmp_path / "out/good.png") as result:
        assert result.size == picture.size
        assert result.getexif()[0x010F] == "Topcon"
        assert 0x013B not in result.getexif()
    with (tmp_path / "out/enhance.csv").open() as stream:
        report = {row["name"]: row for row in csv.DictReader(stream)}
    assert {name: row["status"] for name, row in report.items()} == {
        "good.png": "enhanced", "sub/good.jpg": "enhanced", "wide.png": "enhanced",
        "text.jpg": "failed", "cut.jpg": "failed", "dot.png": "failed",
    }  # fmt: skip
    assert "cannot be read as a picture" in report["text.jpg"]["reason"]


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
    arguments = [*predict(tmp_path / "in", tmp_path / "out"), "--output.size", "48"]
    assert main(arguments) == 2
    assert "predict needs a trained network: give its --ckpt_path" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_options_that_the_checkpoint_overrides_are_reported(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = next(Path("runs").rglob("config.yaml"))
    arguments = ["test", *configs(run), "--ckpt_path", str(checkpoint)]
    flips = ("--model.target", "magenet.targets.TeacherTarget", "--model.target.flips", "true")
    assert main([*arguments, "--model.consistency_weight", "0.7", *flips]) == 0
    errors = capsys.readouterr().err
    assert "model.init_args.target.init_args.flips = None (asked for: True)" in errors
    assert (
        "from the checkpoint: model.init_args.consistency_weight = 0.2 (asked for: 0.7)" in errors
    )


def test_a_manifest_limits_what_is_enhanced(checkpoint: Path, photographs: Path) -> None:
    source = photographs / "index.csv"
    chosen = [*predict(source, Path("out"), checkpoint), "--data.qualities", "[usable]"]
    assert main([*chosen, "--data.splits", "[val]", "--data.sets", "[hygd, idrid]"]) == 0
    assert len(list(Path("out").rglob("eye_*.png"))) == 2


def test_a_result_never_lands_among_the_photographs(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_photograph(draw_phantom(1, 64).image, tmp_path / "in/eye.png")
    assert main(predict(tmp_path / "in", tmp_path / "in/out", checkpoint)) == 1
    assert "lies inside it" in capsys.readouterr().err


def test_lossless_files_keep_every_bit_outside_the_field(checkpoint: Path, tmp_path: Path) -> None:
    phantom = draw_phantom(1, 120)
    mask = white(phantom.field.mask)
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


@pytest.mark.ddp
@pytest.mark.slow
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
    Path(f"{checkpoint}.sha256").unlink()  # of the weights before
    # One photograph a batch: sums in a network may round otherwise in another batch.
    arguments = [*predict(source, Path("out"), checkpoint.resolve()), "--data.batch_size", "1"]
    arguments += ["--data.workers", "1", "--output.lossless", "true"]
    files = []
    for ranks, strategy in (("1", "auto"), ("2", "ddp")):
        folder = tmp_path / ranks / "out"
        folder.mkdir(parents=True)
        (folder / "enhance.incomplete7.csv").write_text("left by a run that was killed")
        several = ["--trainer.devices", ranks, "--trainer.strategy", strategy]
        status, errors = run_alone([*arguments, *several], folder.parent)
        assert status == 1
        assert len(errors) == 2, "each failure once"
        assert "a.png: is already taken" in errors[0], "a.tif is the later one, on whichever rank"
        assert "b.png: cannot be read as a picture" in errors[1]
        written = [path for path in folder.rglob("*") if path.is_file()]
        files.append({p.relative_to(folder).as_posix(): p.read_bytes() for p in written})
        with (folder / "enhance.csv").open() as stream:
            report = [(row["name"], row["status"]) for row in csv.DictReader(stream)]
        failed = ("a.tif", "b.png")
        assert report == [(n, "failed" if n in failed else "enhanced") for n in names]
    pictures = {"a.png", "c.png", "sub/d.png", "sub/e.png"}
    reports = {f"{name}.json" for name in (*pictures, "b.png")}
    assert files[0].keys() == files[1].keys() == {*pictures, *reports, "enhance.csv"}
    assert all(files[0][name] == files[1][name] for name in pictures), "bit for bit"
    before = read_photograph(source / "c.png")
    assert not torch.equal(read_photograph(tmp_path / "1/out/c.png"), before), "it did change"


@pytest.mark.ddp
@pytest.mark.slow
def test_more_ranks_than_photographs_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    write_photograph(draw_phantom(1, 64).image, tmp_path / "in/eye.png")
    arguments = predict(tmp_path / "in", tmp_path / "out", checkpoint)
    several = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    status, errors = run_alone([*arguments, *several], tmp_path)
    assert status == 1
    assert "1 photograph(s) for 2 devices; use at most 1 (" in errors[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.ddp
@pytest.mark.slow
def test_two_ranks_end_at_once_where_another_process_writes(
    checkpoint: Path, tmp_path: Path
) -> None:
    for seed in range(2):
        write_photograph(draw_phantom(seed, 64).image, tmp_path / f"in/{seed}.png")
    arguments = predict(tmp_path / "in", tmp_path / "out", checkpoint.resolve())
    several = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    (tmp_path / "out").mkdir()
    lock = FolderLock(tmp_path / "out")
    lock.acquire()
    try:
        status, errors = run_alone([*arguments, *several], tmp_path)
    finally:
        lock.release()
    assert status == 1
    assert any("another magenet writes to this folder" in line for line in errors)
    assert not list((tmp_path / "out").iterdir())
    assert run_alone([*arguments, *several], tmp_path) == (0, [])
    assert len(list((tmp_path / "out").glob("*.png"))) == 2
