"""Photographs: damaged files, kills, full and read-only disks, ten thousand of them."""

from __future__ import annotations

import csv
import io
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from magenet.main import main
from tests.magenet.conftest import retina
from tests.soak.ledger import Ledger

pytestmark = pytest.mark.soak

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


def listed(out: Path) -> list[dict[str, str]]:
    with (out / "enhance.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def whole(path: Path) -> bool:
    """Return whether a picture can be decoded to its end."""
    try:
        with Image.open(path) as picture:
            picture.load()
    except Exception:
        return False
    return True


def enhance(*arguments: str | Path) -> subprocess.Popen[str]:
    script = (
        "import sys; from magenet.main import main; code = main();"
        "print(open('/proc/self/status').read(), file=sys.stderr); sys.exit(code)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, "enhance", *map(str, arguments)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_damaged_files_cost_only_themselves(tmp_path: Path, weights: Path, ledger: Ledger) -> None:
    promise = ledger.promise(
        "a damaged or foreign file costs only itself, and is listed with a reason",
        "generated files with flipped bits, cuts, gaps, noise, wrong endings, in one folder",
    )
    generator, folder, out = random.Random(0), tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    files, count = originals(), 2000
    for number in range(count):
        suffix, content = generator.choice(files)
        if generator.random() < 0.1:
            suffix = generator.choice(files)[0]
        (folder / f"{number:04}{suffix}").write_bytes(damaged(content, generator))
    (folder / "whole.png").write_bytes(dict(files)[".png"])
    process = enhance(folder, "-o", out, "--weights", weights, "--force")
    _, said = process.communicate()
    rows = {row["name"]: row for row in listed(out)}
    failures = [] if process.returncode == 1 else [f"exit status {process.returncode}"]
    failures += ["traceback"] if "Traceback" in said else []
    failures += [f"{path.name}: not listed" for path in folder.iterdir() if path.name not in rows]
    for name, row in rows.items():
        if row["status"] == "enhanced" and not whole(out / name):
            failures.append(f"{name}: result is not whole")
        if row["status"] in ("failed", "refused") and not row["reason"]:
            failures.append(f"{name}: no reason")
    if rows["whole.png"]["status"] != "enhanced":
        failures.append(f"whole.png: {rows['whole.png']['reason']}")
    visible = [path.name for path in out.iterdir() if not path.name.startswith(".")]
    strangers = {name.removesuffix(".json") for name in visible} - rows.keys()
    failures += [f"{name}: stranger in the results" for name in strangers - {"enhance.csv"}]
    promise.count(count, failures)
    promise.require_kept()


def test_a_killed_run_loses_nothing(tmp_path: Path, weights: Path, ledger: Ledger) -> None:
    promise = ledger.promise(
        "a run that is killed or stopped goes on with --skip-existing to the same end",
        "kill -9, SIGTERM, Ctrl-C at random moments; results compared with an uninterrupted run",
    )  # fmt: skip
    generator, folder, out = random.Random(1), tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(60):
        suffix, _ = generator.choice(originals())
        picture = Image.fromarray(retina(number, 160).permute(1, 2, 0).numpy())
        picture.save(folder / f"{number:02}{suffix}")
    assert (
        main(
            [
                "enhance",
                str(folder),
                "-o",
                str(tmp_path / "all"),
                "--weights",
                str(weights),
                "--max-memory",
                "16G",
            ]
        )
        == 0
    )
    expected = {path.name: path.read_bytes() for path in (tmp_path / "all").iterdir()}
    pictures = {name for name in expected if not name.endswith((".json", ".csv"))}
    for kill in range(20):
        number = generator.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
        process = enhance(folder, "-o", out, "--weights", weights, "--skip-existing")
        time.sleep(generator.uniform(2.0, 6.0))
        process.send_signal(number)
        _, said = process.communicate()
        with promise.attempt(kill):
            assert "Traceback" not in said, said[-500:]
            for path in out.glob("*"):
                if path.name in pictures:
                    assert path.read_bytes() == expected[path.name], path.name
    process = enhance(folder, "-o", out, "--weights", weights, "--skip-existing", "--html")
    process.communicate()
    with promise.attempt("end"):
        assert process.returncode == 0
        assert {path.name for path in out.iterdir()} >= pictures
        assert all((out / name).read_bytes() == expected[name] for name in pictures)
        assert Counter(row["name"] for row in listed(out)) == Counter(pictures)
    promise.require_kept()


def test_a_full_or_read_only_disk_leaves_whole_files(
    tmp_path: Path, small_disk: Path, weights: Path, ledger: Ledger
) -> None:
    promise = ledger.promise(
        "a full or read-only disk ends in a sentence and leaves whole files and a true listing",
        "folders on a file system of 3 MB, filled to different degrees, then read-only",
    )
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(12):
        picture = Image.fromarray(retina(number, 400).permute(1, 2, 0).numpy())
        picture.save(folder / f"{number:02}.png")
    for attempt in range(10):
        out = small_disk / f"out{attempt}"
        (small_disk / "filler").write_bytes(bytes(300_000 * attempt))
        process = enhance(folder, "-o", out, "--weights", weights, "--html")
        _, said = process.communicate()
        with promise.attempt(attempt):
            assert process.returncode == 1
            assert "Traceback" not in said, said[-500:]
            assert "magenet:" in said
            assert all(whole(path) for path in out.glob("*.png"))
            assert not list(out.glob(".*.part"))
        for path in [*small_disk.rglob("*")]:
            if path.is_file():
                path.unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    process = enhance(folder, "-o", small_disk / "more", "--weights", weights)
    _, said = process.communicate()
    with promise.attempt("read-only"):
        assert process.returncode == 1
        assert "Traceback" not in said
        assert "Read-only file system" in said
    promise.require_kept()


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
        process = enhance(folder, "-o", out, "--weights", weights, "--html", "--force")
        _, said = process.communicate()
        peaks.append(int(said.rpartition("VmHWM:")[2].split()[0]) / 1024)
        with promise.attempt(count):
            assert process.returncode == 0
            assert len(listed(out)) == count
    promise.count(10_300, [] if peaks[1] - peaks[0] < 60 else [f"peaks in MB: {peaks}"])
    promise.require_kept()
