"""`magenet enhance` as a person meets it."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

import magenet
from data_modules.datasets.manifest import Photograph
from data_modules.files.memory_estimate import parsed_memory
from data_modules.files.reading import read_native
from data_modules.files.writing import write_photograph
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.folder import Summary
from magenet.enhancement.inputs import distinct
from magenet.main import main
from tests.conftest import ROOT
from tests.data_modules.files.test_reading import tiled_tiff
from tests.magenet.conftest import retina

LIMITED = """
import resource, sys
from magenet.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.exit(main())
"""
"""Runs `magenet` where files cannot grow beyond 20 kB: as on a full disk, without filling one."""


BOUNDED = """
import re, resource, sys
from pathlib import Path
from magenet.main import main
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))
code = main()
# Not ru_maxrss: that begins with the peak of the process which started this one.
status = Path("/proc/self/status").read_text()
print("peak", int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) << 10)
sys.exit(code)
"""
"""Runs `magenet` where the system gives no more than 1 GiB of data."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of photographs and of what else lies in such folders."""
    photographs = tmp_path / "in"
    for name, seed in (("a.png", 0), ("sub/b.jpg", 1), ("c.tif", 2)):
        write_photograph(retina(seed), photographs / name)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (3, 150, 150), dtype=torch.uint8, generator=generator)
    write_photograph(noise, photographs / "noise.png")
    (photographs / "text.jpg").write_text("not a picture")
    (photographs / "empty.png").touch()
    Image.new("RGB", (8, 8)).save(photographs / "small.png")
    (photographs / "notes.txt").write_text("not asked for")
    return photographs


def rows(out: Path, listing: str = "enhance.csv") -> dict[str, dict[str, str]]:
    with (out / listing).open(newline="") as stream:
        return {row["name"]: row for row in csv.DictReader(stream)}


def enhance(*arguments: str | Path) -> int:
    """Run the command; the process is that of all tests, so it may have grown large."""
    given = [] if "--max-memory" in arguments else ["--max-memory", "16G"]
    return main(["enhance", *map(str, arguments), *given])


def start(
    *arguments: str | Path,
    script: str = "import sys; from magenet.main import main; sys.exit(main())",
) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", script, "enhance", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_a_folder_of_photographs_and_junk(
    folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert enhance(folder, "-o", out, "--weights", weights) == 1
    said = capsys.readouterr()
    found = rows(out)
    status = {name: row["status"] for name, row in found.items()}
    assert status == {
        "a.png": "enhanced", "c.tif": "enhanced", "sub/b.jpg": "enhanced",
        "noise.png": "refused", "text.jpg": "failed", "empty.png": "failed",
        "small.png": "failed",
    }  # fmt: skip
    for name, state in status.items():
        assert (out / name).exists() == (state == "enhanced"), name
        report = json.loads((out / f"{name}.json").read_text())
        assert report["status"] == state
        if state != "enhanced":
            assert name in said.err
            assert found[name]["reason"].count(name) == 1, found[name]["reason"]
    assert not (out / "notes.txt").exists()


def test_the_summary_says_what_not_to_use(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    verdicts = ("ok", "abstain", "abstain", "")
    rows = [{"status": "enhanced" if v else "refused", "verdict": v} for v in verdicts]
    summaries = [Summary(rows, 0, False), Summary(rows[:1], 2, False), Summary(rows[:1], 0, True)]
    monkeypatch.setattr(
        "magenet.commands.enhance.enhance_to_folder", lambda *given: summaries.pop(0)
    )
    assert enhance(folder, "-o", tmp_path) == 1
    assert capsys.readouterr().out == (
        f"4 photographs: 1 ok, 2 do not use (abstain), 1 refused; results in {tmp_path}\n"
    )
    assert enhance(folder, "-o", tmp_path) == 0
    assert capsys.readouterr().out == (
        f"1 photograph: 1 ok; results in {tmp_path}; enhance.csv also lists 2 of earlier runs\n"
    )
    assert enhance(folder, "-o", tmp_path) == 1, "without its page"


def test_a_photograph_of_16_bits_stays_one(weights: Path, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    before = retina(3).to(torch.uint16) * 257
    write_photograph(before, tmp_path / "16_bit.png")
    assert enhance(tmp_path / "16_bit.png", "-o", tmp_path / "out", "--weights", weights) == 0
    after = read_native(tmp_path / "out" / "16_bit.png")
    assert (after.dtype, after.shape) == (torch.uint16, before.shape)
    assert not torch.equal(before, after)


def test_what_was_done_is_not_done_again(folder: Path, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    enhance(folder, "-o", out, "--weights", weights)
    (out / "a.png").unlink()
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.???")}
    enhance(folder, "-o", out, "--weights", weights, "--skip-existing")
    status = {name: row["status"] for name, row in rows(out).items()}
    assert status["a.png"] == "enhanced"
    assert status["c.tif"] == status["sub/b.jpg"] == "skipped"
    assert all(
        path.stat().st_mtime_ns == when for path, when in times.items() if path.suffix != ".csv"
    )


def test_results_hold_no_metadata_that_tells_a_person_unless_asked(
    weights: Path, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x013B] = "Topcon", "Mustermann"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 0.0)})
    source = tmp_path / "a.jpg"
    Image.fromarray(retina(0).permute(1, 2, 0).numpy()).save(source, exif=exif, quality=95)
    given = [source, "-o", tmp_path / "out", "--weights", weights, "--skip-existing"]
    wanted: dict[str, tuple[str | None, str | None]] = {
        "keep": ("Topcon", "Mustermann"), "clinical": ("Topcon", None), "none": (None, None),
    }  # fmt: skip
    for choice, kept in wanted.items():
        assert enhance(*given, *([] if choice == "clinical" else ["--metadata", choice])) == 0
        assert rows(tmp_path / "out")["a.jpg"]["status"] == "enhanced", "not skipped: it would stay"
        with Image.open(tmp_path / "out/a.jpg") as result:
            written = result.getexif()
            assert (written.get(0x010F), written.get(0x013B)) == kept
            assert bool(written.get_ifd(0x8825)) == (choice == "keep")


def test_files_patterns_and_manifests_are_all_enhanced_once(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    pattern, file = folder / "*.tif", folder / "sub" / "b.jpg"
    assert enhance(pattern, file, file, "-o", tmp_path / "out", "--weights", weights) == 0
    assert set(rows(tmp_path / "out")) == {"c.tif", "b.jpg"}
    (folder / "list.csv").write_text("image\na.png\n")
    enhance(folder / "list.csv", "-o", tmp_path / "listed", "--weights", weights)
    assert set(rows(tmp_path / "listed")) == {"a.png"}


def test_photographs_of_one_name_are_told_apart(weights: Path, tmp_path: Path) -> None:
    for seed, name in enumerate(("ann/OD.png", "bob/OD.png", "bob/OS.png")):
        write_photograph(retina(seed), tmp_path / "in" / name)
    folders = tmp_path / "in/ann", tmp_path / "in/bob"
    out = tmp_path / "out"
    assert enhance(*folders, "-o", out, "--weights", weights) == 0
    assert set(rows(out)) == {"ann/OD.png", "bob/OD.png", "OS.png"}
    assert (out / "ann/OD.png").read_bytes() != (out / "bob/OD.png").read_bytes()


def test_what_a_pattern_finds_besides_photographs_is_left_out(
    folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "empty").mkdir()
    (folder / "list.csv").write_text("no,manifest\n")
    write_photograph(retina(5), folder / "eye[1].png")
    out = tmp_path / "out"
    pattern = [folder / "[cel]*", folder / "notes.txt", folder / "eye[1].png"]
    assert enhance(*pattern, "-o", out, "--weights", weights) == 1
    assert {"c.tif", "eye[1].png", "empty.png"} == set(rows(out))
    said = capsys.readouterr().err
    assert said.count("left out") == 3
    assert "notes.txt: not a picture" in said


def test_one_photograph_that_breaks_the_network_costs_no_other(
    folder: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = PhotographEnhancer.__call__

    def breaks(self: PhotographEnhancer, image: torch.Tensor, *rest: object) -> object:
        if image.shape[-1] == 170:
            raise RuntimeError("out of memory")
        return whole(self, image, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(PhotographEnhancer, "__call__", breaks)
    write_photograph(retina(5, 170), folder / "b.png")
    out = tmp_path / "out"
    assert enhance(folder, "-o", out, "--weights", weights) == 1
    found = rows(out)
    assert found["b.png"]["status"] == "failed"
    assert "b.png: not enhanced (out of memory)" in found["b.png"]["reason"]
    assert found["c.tif"]["status"] == "enhanced"


def test_a_name_that_is_no_text_costs_no_summary(weights: Path, tmp_path: Path) -> None:
    write_photograph(retina(5), tmp_path / "in/a.png")
    named = os.fsencode(tmp_path / "in") + b"/M\xfcller.png"
    try:
        os.rename(tmp_path / "in/a.png", named)
    except OSError:
        pytest.skip("the file system has no such names")
    out = tmp_path / "out"
    assert enhance(tmp_path / "in", "-o", out, "--weights", weights, "--html") == 0
    assert list(rows(out)) == ["M\\udcfcller.png"]


def test_other_weights_or_strength_are_done_again(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    out, source = tmp_path / "out", folder / "a.png"
    for strength, status in (("1", "enhanced"), ("1", "skipped"), ("0.5", "enhanced")):
        options = ["--weights", weights, "--strength", strength, "--skip-existing", "--html"]
        assert enhance(source, "-o", out, *options) == 0
        assert rows(out)["a.png"]["status"] == status
        page = (out / "report.html").read_text()
        assert page.count("data:image/jpeg") == 1, "an earlier result is shown, too"
        pictures = set(re.findall(r'"(report_files/[^"]+)"', page))
        assert len(pictures) == 3, "with its uncertainty"
        beside = {path.relative_to(out).as_posix() for path in (out / "report_files").iterdir()}
        assert beside == pictures, "and nothing of the result before"


def test_pictures_that_the_page_lacks_are_made_from_an_earlier_result(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    given = [folder / "a.png", "-o", tmp_path / "out", "--weights", weights]
    assert enhance(*given, "--strength", "0.5", "--html") == 0
    assert enhance(*given) == 0
    assert enhance(*given, "--skip-existing", "--html") == 0
    kinds = {path.stem.split("-")[1] for path in (tmp_path / "out/report_files").iterdir()}
    assert kinds == {"before", "after"}, "no page had the uncertainty of this result"


def test_an_earlier_page_saves_reading_the_photographs_again(
    folder: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [folder / "a.png", "-o", tmp_path / "out", "--weights", weights, "--html"]
    assert enhance(*given) == 0
    page = (tmp_path / "out/report.html").read_text()
    monkeypatch.delattr("magenet.enhancement.report_page.read_native")
    assert enhance(*given, "--skip-existing") == 0
    again = (tmp_path / "out/report.html").read_text()
    assert again == page.replace('"status": "enhanced"', '"status": "skipped"')


def test_a_page_and_its_pictures_are_not_enhanced(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    enhance(folder / "a.png", "-o", tmp_path / "one", "--weights", weights, "--html")
    assert len(list((tmp_path / "one/report_files").iterdir())) == 3
    enhance(tmp_path / "one", "-o", tmp_path / "two", "--weights", weights)
    assert set(rows(tmp_path / "two")) == {"a.png"}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere"], "nowhere: no such folder, picture or manifest"),
        (["nowhere/*.png"], "no such files"),
        (["IN/notes.txt"], r"notes\.txt: not a picture by its name"),
        (["IN", "--strength", "1.5"], r"--strength must lie in \[0, 1\]"),
        (["IN", "--max-memory", "some"], "max_memory: 'some' is not an amount"),
        (["IN", "--device", "abacus"], "'abacus' is none of"),
        (["IN", "--device", "cpu:x"], "'cpu:x' is no device"),
        (["IN", "--weights", "EMPTY"], "weights '.*': .*config.json"),
        (["IN", "--weights", "."], r"weights '\.': .*config.json"),
        (["IN", "--weights", "mage_nett"], "neither the name of weights in the package"),
    ],
)
def test_mistakes_are_told_before_any_work(
    folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    arguments: list[str], reason: str,
) -> None:  # fmt: skip
    (tmp_path / "nothing").mkdir()
    paths = {"IN": str(folder), "EMPTY": str(tmp_path / "nothing")}
    given = [paths.get(argument, argument.replace("IN/", f"{folder}/")) for argument in arguments]
    chosen = [] if "--weights" in given else ["--weights", weights]
    usage = any(option in given for option in ("--strength", "--max-memory", "--device"))
    assert enhance(*given, "-o", tmp_path / "out", *chosen) == 1 + usage
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert re.search(reason, said.err)
    assert not (tmp_path / "out").exists()


def test_photographs_are_never_overwritten(
    folder: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "a.png").read_bytes()
    assert enhance(folder, "-o", folder, "--weights", weights) == 1
    assert "error" in capsys.readouterr().err
    assert (folder / "a.png").read_bytes() == before


def test_a_folder_that_cannot_be_written_to(
    folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert enhance(folder, "-o", tmp_path / "file" / "out", "--weights", weights) == 1
    assert "file: is a file, not a folder to write to" in capsys.readouterr().err


def test_a_full_disk_leaves_nothing_half_written(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    write_photograph(retina(4, 400), folder / "large.png")
    out = tmp_path / "out"
    process = start(folder, "-o", out, "--weights", weights, script=LIMITED)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1, said
    status = {name: row["status"] for name, row in rows(out).items()}
    assert status["large.png"] == "failed"
    assert "large.png: cannot be written (File too large)" in said
    assert status["sub/b.jpg"] == "enhanced"  # a small one goes on
    assert not (out / "large.png").exists()
    assert not list(out.rglob("*.part"))


def test_stopped_midway_what_is_written_is_whole(weights: Path, tmp_path: Path) -> None:
    for seed in range(40):
        write_photograph(retina(seed, 500), tmp_path / "in" / f"{seed:02}.png")
    out = tmp_path / "out"
    process = start(tmp_path / "in", "-o", out, "--weights", weights)
    deadline = time.monotonic() + 120
    while not list(out.glob("*.png")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "go on with --skip-existing" in said
    done = list(out.glob("*.png"))
    assert 0 < len(done) < 40
    for path in done:
        assert read_native(path).shape == (3, 500, 500)
    assert not list(out.rglob("*.part"))
    assert not (out / "enhance.csv").exists(), "it is not complete"
    assert set(rows(out, "enhance.incomplete.csv")) == {path.name for path in done}


def test_the_worst_files_cost_no_other_under_a_limit_of_the_system(
    weights: Path, tmp_path: Path
) -> None:
    worst = tmp_path / "in"
    for seed in range(2):
        write_photograph(retina(seed), worst / f"{'az'[seed]}.png")
    Image.new("RGB", (200, 60000)).save(worst / "long.jpg")
    Image.new("RGB", (60000, 200)).save(worst / "wide.png")
    Image.new("1", (12000, 12000)).save(worst / "bits.tif", compression="group4")
    Image.new("F", (9000, 9000)).save(worst / "floats.tif", compression="tiff_adobe_deflate")
    tiled_tiff(worst / "tile.tif", 64, 60000)
    Image.new("RGB", (5000, 5000)).save(worst / "lossless.webp", lossless=True, method=0)
    Image.new("RGBA", (9000, 9000)).save(worst / "clear.png", compress_level=1)
    (worst / "script.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    out = tmp_path / "out"
    process = start(
        worst, "-o", out, "--weights", weights, "--max-memory", "1G", "--force", script=BOUNDED
    )
    said, errors = process.communicate(timeout=240)
    assert process.returncode == 1, errors
    found = {name: row["status"] for name, row in rows(out).items()}
    assert found.pop("a.png") == found.pop("z.png") == "enhanced"
    assert set(found.values()) == {"failed"}, found
    assert len(found) == 8
    assert int(said.split("peak ")[1]) < 1 << 30


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "webp", "rgba.png", "16.png", "float.tif"])
def test_a_photograph_takes_no_more_memory_than_was_said(
    weights: Path, tmp_path: Path, kind: str
) -> None:
    """Where the estimate just fits, the peak of the process does, too."""
    side = 2400 if kind == "webp" else 5000
    path = tmp_path / f"a.{kind}"
    eye = functional.interpolate(retina(0)[None], (side, side))[0]
    if kind == "float.tif":
        Image.fromarray(eye[0].numpy() / np.float32(255)).save(path)
    elif kind == "rgba.png":
        picture = Image.fromarray(eye.permute(1, 2, 0).numpy())
        picture.putalpha(200)
        picture.save(path, compress_level=1)
    else:
        write_photograph(eye.to(torch.uint16) * 257 if kind == "16.png" else eye, path)
    script = BOUNDED.replace("resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))", "")
    options = ["-o", tmp_path / "out", "--weights", weights, "--force", "--html"]
    process = start(path, *options, "--max-memory", "500M", script=script)
    _, errors = process.communicate(timeout=240)
    need = re.search(r"needs ([\d.]+) ([GM])iB", errors)
    assert need is not None, errors
    allowed = f"{float(need[1]) * (1024 if need[2] == 'G' else 1) + 16:.0f}M"
    process = start(path, *options, "--max-memory", allowed, script=script)
    said, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert int(said.split("peak ")[1]) <= parsed_memory(allowed)


def test_it_starts_without_lightning_and_wandb(weights: Path) -> None:
    script = (
        "import sys; import magenet.commands.enhance;"
        "slow = {'lightning', 'pytorch_lightning', 'wandb', 'torch._dynamo'};"
        "sys.exit(', '.join(slow & set(sys.modules)) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_page_is_written_with_every_photograph(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    enhance(folder, "-o", tmp_path / "out", "--weights", weights, "--html")
    page = (tmp_path / "out" / "report.html").read_text()
    for name in rows(tmp_path / "out"):
        assert f'"{name}"' in page


def test_the_documentation_lists_what_the_report_holds(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    text = (ROOT / "docs/enhance.md").read_text().split("## The report")[1].split("\n## ")[0]
    listed = re.findall(r"^\| `(\w+)`(?: \((CSV|JSON) only\))? \|", text, re.MULTILINE)
    enhance(folder / "a.png", "-o", tmp_path / "out", "--weights", weights)
    row = rows(tmp_path / "out")["a.png"]
    report = json.loads((tmp_path / "out" / "a.png.json").read_text())
    assert [name for name, only in listed if only != "JSON"] == list(row)
    assert {name for name, only in listed if only != "CSV"} == set(report)


def test_arrays_are_enhanced_as_files_are(folder: Path, weights: Path, tmp_path: Path) -> None:
    enhance(folder / "a.png", "-o", tmp_path / "out", "--weights", weights)
    given = np.asarray(Image.open(folder / "a.png"))
    result = magenet.enhance(given, weights=weights)
    written = np.asarray(Image.open(tmp_path / "out" / "a.png"))
    assert np.array_equal(result.image, written)
    assert np.array_equal(magenet.enhance(folder / "a.png", weights=weights).image, written)
    assert result.uncertainty.shape == given.shape[:2]
    report = json.loads((tmp_path / "out" / "a.png.json").read_text())
    assert report["verdict"] == result.report.verdict
    everything = np.ones(given.shape[:2], bool)
    assert (
        magenet.enhance(given, everything, weights=weights, force=True).image.shape == given.shape
    )
    with pytest.raises(TypeError, match="float64"):
        magenet.enhance(given / 255.0, weights=weights)
    with pytest.raises(ValueError, match="mask"):
        magenet.enhance(given, everything[1:], weights=weights)


def test_everything_in_a_folder_is_enhanced_or_listed(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    given, out = tmp_path / "in", tmp_path / "out"
    for name in ("a.png", "z.png", "locked/b.png", "n" * 236 + ".png", ".hidden/c.png"):
        write_photograph(retina(len(name)), given / name)
    write_photograph(retina(1), tmp_path / "elsewhere/b.png")
    (given / "linked").symlink_to(tmp_path / "elsewhere")
    (given / "broken.jpg").symlink_to(tmp_path / "nothing")
    (given / "loop.jpg").symlink_to(given / "loop.jpg")
    os.mkfifo(given / "pipe.jpg")
    os.mkfifo(given / "pipe")
    for name in ("a.heic", "b.gif", "c.jp2", "notes.txt", ".DS_Store"):
        (given / name).write_text("whatever")
    (given / "scan").write_bytes((given / "a.png").read_bytes())
    (given / "IM000001").write_bytes(bytes(128) + b"DICM")
    write_photograph(retina(3), given / "d.png")
    (out / "d.png.json").mkdir(parents=True)
    whole = os.scandir

    def scandir(path: str | Path) -> object:
        if Path(path) == given / "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert enhance(given, "-o", out, "--weights", weights) == 1
    found = rows(out)
    enhanced = {name for name, row in found.items() if row["status"] == "enhanced"}
    assert enhanced == {"a.png", "z.png", "n" * 236 + ".png"}
    reasons = {
        "locked": "folder that cannot be read", "linked": "link to a folder",
        "broken.jpg": "missing", "loop.jpg": "missing", "pipe.jpg": "pipe", "a.heic": "not read",
        "b.gif": "not read", "c.jp2": "not read", "scan": "by its content", "IM000001": "DICOM",
        "d.png": "is a folder",
    }  # fmt: skip
    assert set(found) == enhanced | set(reasons)
    for name, reason in reasons.items():
        assert reason in found[name]["reason"], name
    said = capsys.readouterr().err
    assert all(name in said for name in ("/notes.txt", "/pipe\n"))
    assert not any(name in said for name in ("hidden", "DS_Store"))


def test_a_pattern_does_not_enhance_its_own_results(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_photograph(retina(0), tmp_path / "p/a.png")
    for _ in range(2):
        assert enhance("**/*.png", "-o", "out", "--weights", weights) == 0
        assert set(rows(tmp_path / "out")) == {"a.png"}
    assert enhance("out/*.png", "-o", "out", "--weights", weights) == 1


def test_a_missing_file_of_a_manifest_costs_that_photograph_only(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    (folder / "list.csv").write_text("image,fov_mask\na.png,\ngone.png,\nc.tif,gone.png\n")
    assert enhance(folder / "list.csv", "-o", tmp_path / "out", "--weights", weights) == 1
    found = rows(tmp_path / "out")
    assert [row["status"] for row in found.values()] == ["enhanced", "failed", "failed"]
    assert all("gone.png: no such file" in found[name]["reason"] for name in ("gone.png", "c.tif"))


@pytest.mark.parametrize("name", ["a" * 5000, "a" * 5000 + "*", "a" * 5000 + ".csv"])
def test_a_name_of_5000_characters_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert enhance(name, "-o", tmp_path / "out") == 1
    assert "no such" in capsys.readouterr().err


def test_many_equal_names_are_told_apart_in_little_time() -> None:
    found = {
        (path := Path(f"/eyes/{index}/left/OD.png")): Photograph(path, "OD.png")
        for index in range(10_000)
    }
    before = time.monotonic()
    names = [photograph.name for photograph in distinct(found)]
    assert time.monotonic() - before < 2.0
    assert len(set(names)) == 10_000
    assert names[7] == "7/left/OD.png"
