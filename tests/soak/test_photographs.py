"""Photographs: damaged files, kills, full and read-only disks, ten thousand of them."""

from __future__ import annotations

import io
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.magenet.commands.enhancing import MEASURED, enhance, rows, start
from tests.magenet.conftest import retina
from tests.soak.ledger import Ledger

FORMATS = {".jpg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".bmp": "BMP", ".webp": "WEBP"}


def originals() -> list[tuple[str, bytes]]:
    """A small photograph in each format, by its file name ending."""
    picture = Image.fromarray(retina(1, 96).permute(1, 2, 0).numpy())
    files = []
    for suffix, name in FORMATS.items():
        stream = io.BytesIO()
        picture.save(stream, name)
        files.append((suffix, stream.getvalue()))
    return files


def damaged(content: bytes, generator: random.Random) -> bytes:
    """Return a file with one kind of damage."""
    changed = bytearray(content)
    kind = generator.randrange(5)
    if kind == 0:  # flipped bits, most of them in the header
        for _ in range(generator.randrange(1, 20)):
            reach = min(len(changed), generator.choice([64, 1024, len(changed)]))
            changed[generator.randrange(reach)] ^= 1 << generator.randrange(8)
    elif kind == 1:  # cut off
        del changed[generator.randrange(len(changed)) :]
    elif kind == 2:  # a part is missing
        start = generator.randrange(len(changed))
        del changed[start : start + generator.randrange(1, 200)]
    elif kind == 3:  # a part is noise
        start = generator.randrange(len(changed))
        noise = generator.randbytes(min(200, len(changed) - start))
        changed[start : start + len(noise)] = noise
    else:  # no picture at all
        changed = bytearray(generator.randbytes(generator.randrange(2000)))
    return bytes(changed)


def whole(path: Path) -> bool:
    """Return whether a picture can be decoded to its end."""
    try:
        with Image.open(path) as picture:
            picture.load()
    except Exception:
        return False
    return True


def wait_for_more(process: subprocess.Popen[str], out: Path, results: int) -> None:
    """Wait until a run has begun so many results that were not there."""
    before = len(list(out.glob("*.json")))
    while len(list(out.glob("*.json"))) < before + results and process.poll() is None:
        time.sleep(0.01)


@pytest.mark.parametrize("count", [60, pytest.param(2000, marks=pytest.mark.soak)])
def test_damaged_files_cost_only_themselves(
    tmp_path: Path, weights: Path, ledger: Ledger, count: int
) -> None:
    promise = ledger.promise(
        "a damaged or foreign file costs only itself, and is listed with a reason",
        "generated files with flipped bits, cuts, gaps, noise, wrong endings, in one folder",
    )
    generator, folder, out = random.Random(0), tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    files = originals()
    for number in range(count):
        suffix, content = generator.choice(files)
        if generator.random() < 0.1:
            suffix = generator.choice(files)[0]
        (folder / f"{number:04}{suffix}").write_bytes(damaged(content, generator))
    (folder / "whole.png").write_bytes(dict(files)[".png"])
    process = start(folder, "-o", out, "--weights", weights, "--force")
    _, said = process.communicate()
    found = rows(out)
    failures = [] if process.returncode == 1 else [f"exit status {process.returncode}"]
    failures += ["traceback"] if "Traceback" in said else []
    failures += [f"{path.name}: not listed" for path in folder.iterdir() if path.name not in found]
    for name, row in found.items():
        if row["status"] == "enhanced" and not whole(out / name):
            failures.append(f"{name}: result is not whole")
        if row["status"] in ("failed", "refused") and not row["reason"]:
            failures.append(f"{name}: no reason")
    if found["whole.png"]["status"] != "enhanced":
        failures.append(f"whole.png: {found['whole.png']['reason']}")
    visible = [path.name for path in out.iterdir() if not path.name.startswith(".")]
    strangers = {name.removesuffix(".json") for name in visible} - found.keys()
    failures += [f"{name}: stranger in the results" for name in strangers - {"enhance.csv"}]
    promise.count(count, failures)
    promise.require_kept()


@pytest.mark.parametrize(("count", "kills"), [(5, 2), pytest.param(80, 20, marks=pytest.mark.soak)])
def test_a_killed_run_loses_nothing(
    tmp_path: Path, weights: Path, ledger: Ledger, count: int, kills: int
) -> None:
    promise = ledger.promise(
        "a run that is killed or stopped goes on with --skip-existing to the same end",
        "kill -9, SIGTERM, Ctrl-C at random moments; results compared with an uninterrupted run",
    )
    generator, folder, out = random.Random(1), tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(count):
        suffix = generator.choice(list(FORMATS))
        picture = Image.fromarray(retina(number, 160).permute(1, 2, 0).numpy())
        picture.save(folder / f"{number:02}{suffix}")
    assert enhance(folder, "-o", tmp_path / "all", "--weights", weights) == 0
    expected = {path.name: path.read_bytes() for path in (tmp_path / "all").iterdir()}
    pictures = {name for name in expected if not name.endswith((".json", ".csv"))}
    for kill in range(kills):
        number = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[kill % 3]
        process = start(folder, "-o", out, "--weights", weights, "--skip-existing")
        wait_for_more(process, out, generator.randrange(1, 4))
        time.sleep(generator.uniform(0.0, 0.1))
        process.send_signal(number)
        _, said = process.communicate()
        with promise.attempt(kill):
            assert "Traceback" not in said, said[-500:]
            stopped = -number if number == signal.SIGKILL else 128 + number
            assert process.returncode in (stopped, 0), said[-500:]
            for path in out.glob("*"):
                if path.name in pictures:
                    assert path.read_bytes() == expected[path.name], path.name
    with promise.attempt("end"):
        assert enhance(folder, "-o", out, "--weights", weights, "--skip-existing", "--html") == 0
        assert {path.name for path in out.iterdir()} >= pictures
        assert all((out / name).read_bytes() == expected[name] for name in pictures)
        assert rows(out).keys() == pictures
        assert (out / "enhance.csv").read_text().count("\n") == count + 1, "none is listed twice"
    promise.require_kept()


@pytest.mark.parametrize(
    "fillings", [range(0, 10, 4), pytest.param(range(10), marks=pytest.mark.soak)]
)
def test_a_full_or_read_only_disk_leaves_whole_files(
    tmp_path: Path, small_disk: Path, weights: Path, ledger: Ledger, fillings: range,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    promise = ledger.promise(
        "a full or read-only disk ends in a sentence and leaves whole files and a true listing",
        "folders on a file system of 1 MB, filled to different degrees, then read-only",
    )
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(5):
        picture = Image.fromarray(retina(number, 400).permute(1, 2, 0).numpy())
        picture.save(folder / f"{number:02}.png")
    for filling in fillings:
        out = small_disk / f"out{filling}"
        (small_disk / "filler").write_bytes(bytes(100_000 * filling))
        with promise.attempt(filling):
            assert enhance(folder, "-o", out, "--weights", weights, "--html") == 1
            assert "magenet:" in capsys.readouterr().err
            assert all(whole(path) for path in out.glob("*.png"))
            assert not list(out.glob(".*.part"))
        for path in [*small_disk.rglob("*")]:
            if path.is_file():
                path.unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with promise.attempt("read-only"):
        assert enhance(folder, "-o", small_disk / "more", "--weights", weights) == 1
        assert "Read-only file system" in capsys.readouterr().err
    promise.require_kept()


@pytest.mark.soak
def test_memory_stays_flat_over_ten_thousand_photographs(
    tmp_path: Path, weights: Path, ledger: Ledger
) -> None:
    promise = ledger.promise(
        "memory does not grow with the number of photographs, and all of them are listed",
        "10,000 small photographs in one run; the peak may exceed that of 300 by 60 MB at most",
    )
    content = dict(originals())[".jpg"]
    peaks = []
    for count in (300, 10_000):
        folder, out = tmp_path / f"in{count}", tmp_path / f"out{count}"
        folder.mkdir()
        for number in range(count):
            (folder / f"{number:05}.jpg").write_bytes(content)
        process = start(
            folder, "-o", out, "--weights", weights, "--html", "--force", script=MEASURED
        )
        said, _ = process.communicate()
        peaks.append(int(said.split("peak ")[1]) >> 20)
        with promise.attempt(count):
            assert process.returncode == 0
            assert len(rows(out)) == count
    promise.count(10_300, [] if peaks[1] - peaks[0] < 60 else [f"peaks in MB: {peaks}"])
    promise.require_kept()
