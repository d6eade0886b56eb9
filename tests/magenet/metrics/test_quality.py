import math

import pytest
import torch

from data_modules.datasets.manifest import QUALITIES
from magenet.metrics import fiqa, wfqa


@pytest.mark.parametrize(
    ("grades", "share", "weighted"),
    [
        ("good good good", 1.0, 2.0),
        ("usable usable", 0.0, 1.0),
        ("reject", 0.0, 0.0),
        ("good usable reject reject", 0.25, 0.75),
        ("good good usable usable usable", 0.4, 1.4),
    ],
)
def test_equals_what_was_counted_by_hand(grades: str, share: float, weighted: float) -> None:
    indices = torch.tensor([QUALITIES.index(grade) for grade in grades.split()])
    assert float(fiqa(indices)) == pytest.approx(share)
    assert float(wfqa(indices)) == pytest.approx(weighted)


def test_no_photograph_has_no_quality() -> None:
    none = torch.zeros(0, dtype=torch.long)
    assert math.isnan(float(fiqa(none)))
    assert math.isnan(float(wfqa(none)))
