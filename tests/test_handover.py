"""The program in docs/handover.md hands over what it says."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

(PROGRAM, *_) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/handover.md").read_text(), re.S)


def result(path: Path, verdict: str | None, content: str = "pixels") -> None:
    """Write a result with its report, as `magenet enhance` does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if verdict:
        path.write_text(content)
    path.with_name(path.name + ".json").write_text(json.dumps({"verdict": verdict or ""}))


def handed_over(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_pictures_that_may_be_used_are_handed_over_under_safe_names(tmp_path: Path) -> None:
    enhanced = tmp_path / "enhanced"
    result(enhanced / "patient 1/OD.left.JPG", "ok", "first")
    result(enhanced / "eye.png", "check", "second")
    result(enhanced / "doubtful.png", "abstain")
    result(enhanced / "cat.png", None)  # refused: a report without a picture
    result(enhanced / "eye.dcm", "ok")
    (enhanced / "enhance.csv").write_text("name\n")
    done = handed_over(tmp_path)
    assert done.returncode == 0, done.stderr

    images = tmp_path / "handover/images"
    names = {"eye.png": "second", "patient_1_OD_left.jpg": "first"}
    assert {path.name: path.read_text() for path in images.iterdir()} == names
    header, *listed = rows(tmp_path / "handover/images.csv")
    assert header == ["id", "path"]
    assert listed == [[Path(name).stem, str((images / name).resolve())] for name in names]
    header, *listed = rows(tmp_path / "handover/resolution_information.csv")
    assert header == ["fundus", "res"]
    assert [name for name, _ in listed] == list(names)
    assert not any("." in Path(name).stem for name in names), "AutoMorph cuts names at dots"


def test_two_pictures_of_one_name_are_told_before_anything_is_written(tmp_path: Path) -> None:
    result(tmp_path / "enhanced/eye.png", "ok")
    result(tmp_path / "enhanced/eye.jpg", "ok")
    done = handed_over(tmp_path)
    assert done.returncode == 1
    assert "are both eye: rename one" in done.stderr
    assert not (tmp_path / "handover").exists()
