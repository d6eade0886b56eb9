import math

import pytest
import torch
from torchmetrics import Metric

from data_modules.datasets.manifest import QUALITIES
from magenet.metrics import FIQA, WFQA, fiqa, wfqa


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
    places = torch.tensor([QUALITIES.index(grade) for grade in grades.split()])
    assert float(fiqa(places)) == pytest.approx(share)
    assert float(wfqa(places)) == pytest.approx(weighted)
    for metric, expected in ((FIQA(), share), (WFQA(), weighted)):
        metric.update(places[:1])  # uneven: a mean of means would differ
        metric.update(places[1:])
        assert float(metric.compute()) == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
@pytest.mark.parametrize("metric", [FIQA, WFQA])
def test_no_photograph_has_no_quality(metric: type[Metric]) -> None:
    none = torch.zeros(0, dtype=torch.long)
    assert math.isnan(float(fiqa(none)))
    assert math.isnan(float(wfqa(none)))
    assert math.isnan(float(metric().compute()))
