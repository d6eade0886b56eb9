import json
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.studies import graders as results
from magenet.models import Grader
from magenet.tasks import QualityTask

pytestmark = pytest.mark.usefixtures("workplace")


def test_the_report_counts_every_graded_photograph(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the manifest, each of four sets has one good and one usable val photograph."""
    monkeypatch.setattr(results, "PARTS", {"quality": ["val"], "dr_grade": ["val"]})
    monkeypatch.setattr(results, "BASE", tmp_path / "base.yaml")
    (tmp_path / "base.yaml").write_text("seed_everything: 5\n")
    out = str(tmp_path / "out")
    assert results.main(["--photographs", str(photographs), "--out", out]) == 0
    report = json.loads((tmp_path / "out/grading.json").read_text())
    quality = report["graders"]["quality"]
    assert quality["seed"] == 5
    part = quality["parts"]["val"]
    of_label = dict(zip(part["classes"], map(sum, part["confusion"]), strict=True))
    assert of_label == {"good": 4, "usable": 4, "reject": 0}
    assert set(part["sets"]) == {"chase_db1", "hrf", "hygd", "idrid"}
    of_sets = torch.tensor([one["confusion"] for one in part["sets"].values()])
    assert of_sets.sum(dim=(1, 2)).tolist() == [2, 2, 2, 2]
    assert of_sets.sum(dim=0).tolist() == part["confusion"]
    for score, (low, high) in part["interval_95"].items():
        assert low - 5e-4 <= part[score] <= high + 5e-4, score
    assert quality["invariance"]["val"]["photographs"] == 8
    text = (tmp_path / "out/grading.md").read_text()
    assert "| reject |" in text
    assert "quadratic kappa" in text


@pytest.mark.parametrize(("by_size", "changed"), [(True, 8), (False, 0)])
def test_a_grade_that_depends_on_the_size_of_the_file_is_counted(
    by_size: bool, changed: int, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stub(task: object, source: object, file: torch.Tensor, field: object) -> int:
        return max(file.shape) if by_size else 0

    monkeypatch.setattr(results, "predicted_grade", stub)
    source = results.data(photographs, "quality", "val", 64)
    task: Any = None  # not used by the stub
    counts = results.changed_grades(task, source)
    assert (counts["changed_given_field"], counts["changed_estimated_field"]) == (changed, changed)


def test_a_photograph_alone_gets_the_grade_that_it_has_in_the_test(photographs: Path) -> None:
    torch.manual_seed(0)
    task = QualityTask(Grader(classes=3, size=64)).eval()
    for parameter in task.network.parameters():
        torch.nn.init.normal_(parameter)
    source = results.data(photographs, "quality", "val", 64)
    logits, *_ = results.grade(task, source)
    alone = []
    for photograph in source.photographs.dataset("test", 64).photographs:
        image = results.read_photograph(photograph.image)
        field = results.find_field(photograph, image)
        alone.append(results.predicted_grade(task, source, image, field))
    assert len(set(alone)) > 1
    assert alone == logits.argmax(dim=1).tolist()
