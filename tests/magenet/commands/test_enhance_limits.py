"""`magenet enhance` under limits of the system: memory, disks, and being stopped."""

import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from data_modules.files.memory_estimate import parsed_memory
from data_modules.files.reading import read_native
from data_modules.files.writing import write_photograph
from tests.data_modules.files.test_reading import tiled_tiff
from tests.magenet.commands.enhancing import MEASURED, rows, start
from tests.magenet.conftest import retina

LIMITED = """
import resource, sys
from magenet.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.exit(main())
"""
"""Runs `magenet` where files cannot grow beyond 20 kB: as on a full disk, without filling one."""

BOUNDED = f"""
import resource
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))
{MEASURED}
"""
"""Runs `magenet` where the system gives no more than 1 GiB of data."""


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
    options = ["-o", tmp_path / "out", "--weights", weights, "--force", "--html"]
    process = start(path, *options, "--max-memory", "500M", script=MEASURED)
    _, errors = process.communicate(timeout=240)
    need = re.search(r"needs ([\d.]+) ([GM])iB", errors)
    assert need is not None, errors
    allowed = f"{float(need[1]) * (1024 if need[2] == 'G' else 1) + 16:.0f}M"
    process = start(path, *options, "--max-memory", allowed, script=MEASURED)
    said, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert int(said.split("peak ")[1]) <= parsed_memory(allowed)
