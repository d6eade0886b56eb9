"""Which photographs of a camera are surveyed, and in which order."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from data_modules.datasets.manifest import Photograph
from data_modules.files.reading import read_native
from magenet.adaptation.survey import MINIMUM_PHOTOGRAPHS, survey
from magenet.enhancement.fundus_check import NotAFundusError
from magenet.imaging.field_of_view import FieldOfView


def test_the_best_and_least_changed_come_first_and_what_cannot_be_used_is_left_out(
    camera: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = sorted(camera.glob("*.png"))
    changes = iter([*range(MINIMUM_PHOTOGRAPHS, 0, -1)])

    def enhancer(image: Tensor, field: FieldOfView) -> SimpleNamespace:
        change = next(changes, None)
        if change is None:
            raise NotAFundusError("does not look like a fundus photograph")
        verdict = "check" if change <= 5 else "ok"  # dark ones are changed least
        report = SimpleNamespace(mean_change=float(change), verdict=verdict)
        return SimpleNamespace(image=255 - image, report=report)

    (tmp_path / "scan.dcm").write_bytes(b"\0" * 128 + b"DICM")
    (tmp_path / "torn.png").write_bytes(b"no picture")
    screen = os.fsencode(tmp_path) + b"/\x1b[2J.png"
    shutil.copyfile(images[0], screen)
    more = [tmp_path / "scan.dcm", tmp_path / "torn.png", Path(os.fsdecode(screen))]
    given = [Photograph(path, path.name) for path in (*images, *more)]
    results = tmp_path / "results"
    results.mkdir()
    found = survey(enhancer, given, results, 8 << 30)  # type: ignore[arg-type]
    least_changed = images[::-1]
    assert [one.photograph.image for one in found] == least_changed[5:] + least_changed[:5]
    for one in found[:2]:
        image = read_native(one.photograph.image)
        assert torch.equal(read_native(one.enhanced), 255 - image)
    assert len({one.enhanced for one in found}) == len(list(results.iterdir())) == len(found)
    said = [x for x in capsys.readouterr().err.replace("\r", "\n").split("\n") if "left out" in x]
    assert [line.count(str(tmp_path)) for line in said] == [1, 1, 1], "each is named once"
    assert "DICOM" in said[0]
    assert "\x1b" not in "".join(said)
