"""Files of several frames, enhanced one by one: the result, its report, and what stops it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_modules.files.dicom import read_frames
from magenet.enhancement.frames import EnhancedFrames, FrameError
from magenet.enhancement.outcome import Outcome
from tests.magenet.commands.enhancing import enhance, rows
from tests.magenet.conftest import retina

pydicom = pytest.importorskip("pydicom")
from tests.data_modules.files.ophthalmic import faults, photograph  # noqa: E402

Run = Callable[..., int]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Return a folder with one file of three frames, and of the first frame alone."""
    images = np.stack([retina(seed).permute(1, 2, 0).numpy() for seed in (3, 4, 5)])
    (tmp_path / "in").mkdir()
    photograph(tmp_path / "in/film.dcm", images)
    photograph(tmp_path / "in/one.dcm", images[0])
    return tmp_path / "in"


@pytest.fixture
def run(weights: Path, tmp_path: Path) -> Run:
    def enhance_to_out(*arguments: str | Path) -> int:
        return enhance(*arguments, "-o", tmp_path / "out", "--weights", weights)

    return enhance_to_out


def test_each_frame_is_enhanced_as_if_it_were_alone(film: Path, tmp_path: Path, run: Run) -> None:
    assert run(film, "--html") == 0
    first, *others = read_frames(tmp_path / "out/film.dcm")
    (alone,) = read_frames(tmp_path / "out/one.dcm")
    assert torch.equal(first, alone)
    assert len(others) == 2
    assert not any(torch.equal(first, other) for other in others)
    result = pydicom.dcmread(tmp_path / "out/film.dcm")
    assert faults(result) == []
    report = json.loads((tmp_path / "out/film.dcm.json").read_text())
    equipment = result.ContributingEquipmentSequence[-1]
    assert report["weights_sha256"] in equipment.ContributionDescription
    single = json.loads((tmp_path / "out/one.dcm.json").read_text())
    assert set(report) == {*single, "frames"}
    assert report["frames"][0]["mean_change"] == single["mean_change"]
    assert [len(report["frames"]), rows(tmp_path / "out")["film.dcm"]["status"]] == [3, "enhanced"]
    assert run(film, "--skip-existing") == 0
    assert {row["status"] for row in rows(tmp_path / "out").values()} == {"skipped"}


def test_a_frame_that_is_no_fundus_costs_the_file_and_no_other(
    film: Path, tmp_path: Path, run: Run
) -> None:
    noisy = np.random.default_rng(0).integers(0, 256, (2, 200, 200, 3)).astype(np.uint8)
    noisy[0] = retina(3).permute(1, 2, 0).numpy()
    photograph(film / "film.dcm", noisy)
    assert run(film) == 1
    found = rows(tmp_path / "out")
    assert {name: row["status"] for name, row in found.items()} == {
        "film.dcm": "refused", "one.dcm": "enhanced"
    }  # fmt: skip
    assert "(frame 2 of 2)" in found["film.dcm"]["reason"]
    assert not (tmp_path / "out/film.dcm").exists()


def test_frames_that_fail_leave_the_result_that_was_to_be_overwritten(
    film: Path, tmp_path: Path, run: Run
) -> None:
    assert run(film / "film.dcm") == 0
    before = [(tmp_path / "out" / name).read_bytes() for name in ("film.dcm", "film.dcm.json")]
    noisy = np.random.default_rng(0).integers(0, 256, (2, 200, 200, 3)).astype(np.uint8)
    noisy[0] = retina(3).permute(1, 2, 0).numpy()
    (tmp_path / "other").mkdir()
    photograph(tmp_path / "other/film.dcm", noisy)
    assert run(tmp_path / "other", "--overwrite") == 1
    after = [(tmp_path / "out" / name).read_bytes() for name in ("film.dcm", "film.dcm.json")]
    assert after == before


def test_too_many_pixels_for_the_memory_fail_by_the_header(
    film: Path, weights: Path, tmp_path: Path
) -> None:
    options = ["-o", tmp_path / "out", "--weights", weights, "--max-memory", "1M"]
    assert enhance(film, *options) == 1
    found = rows(tmp_path / "out")
    assert all("of memory" in row["reason"] for row in found.values())


def report(verdict: str, error: float | None) -> dict[str, Any]:
    reasons = [] if verdict == "ok" else [f"it is {verdict}"]
    return {
        "name": "a", "status": "enhanced", "verdict": verdict, "reasons": reasons,
        "expected_error": error, "seconds": 1.0,
    }  # fmt: skip


class Result:
    """Stands for an enhanced photograph."""

    def __init__(self, number: int) -> None:
        self.image = torch.tensor(number)


def enhanced(*frames: tuple[str, float | None]) -> EnhancedFrames:
    outcomes = iter([
        Outcome(report(*frame), None, Result(number))  # type: ignore[arg-type]
        for number, frame in enumerate(frames)
    ])  # fmt: skip
    return EnhancedFrames([None] * len(frames), lambda _: next(outcomes))  # type: ignore[arg-type, list-item]


def test_the_report_is_that_of_the_worst_frame() -> None:
    frames = enhanced(("ok", 9.0), ("check", 2.0), ("check", 5.0), ("check", None), ("ok", 1.0))
    assert [int(image) for image in frames] == [0, 1, 2, 3, 4]
    outcome = frames.outcome()
    assert (outcome.row["verdict"], outcome.row["expected_error"]) == ("check", 5.0)
    assert outcome.row["reasons"] == ["frame 3: it is check", "frames that are not 'ok': 3 of 5"]
    assert [frame["expected_error"] for frame in outcome.row["frames"]] == [
        9.0,
        2.0,
        5.0,
        None,
        1.0,
    ]
    assert outcome.result is not None
    assert int(outcome.result.image) == 2


def test_a_frame_that_fails_is_named() -> None:
    failed = Outcome({"status": "failed", "reasons": ["a: damaged"], "verdict": ""})
    outcomes = iter([Outcome(report("ok", 1.0), None, Result(0)), failed])  # type: ignore[arg-type]
    frames = EnhancedFrames([None] * 2, lambda _: next(outcomes))  # type: ignore[arg-type, list-item]
    with pytest.raises(FrameError, match=r"a: damaged \(frame 2 of 2\)"):
        list(frames)
