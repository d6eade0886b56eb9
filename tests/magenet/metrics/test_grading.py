"""Agreement and calibration against counts by hand, and torchmetrics where it has the same."""

import pytest
import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_calibration_error,
    multiclass_confusion_matrix,
    multiclass_recall,
)

from magenet.metrics import (
    balanced_accuracy,
    expected_calibration_error,
    fit_temperature,
    reliability,
)
from magenet.metrics.grading import BINS

GENERATOR = torch.Generator().manual_seed(0)
LABELS = torch.randint(5, (200,), generator=GENERATOR)
LOGITS = torch.randn(200, 5, generator=GENERATOR) + 1.5 * torch.nn.functional.one_hot(LABELS, 5)


def slow_balanced_accuracy(grades: Tensor, labels: Tensor) -> float:
    recalls = []
    for label in set(labels.tolist()):
        given = [
            g for g, true in zip(grades.tolist(), labels.tolist(), strict=True) if true == label
        ]
        recalls.append(given.count(label) / len(given))
    return sum(recalls) / len(recalls)


@pytest.mark.parametrize("present", [[0, 1, 2, 3, 4], [0, 2], [4], [1, 2, 3]])
def test_balanced_accuracy_is_the_mean_recall_of_the_classes_that_occur(present: list[int]) -> None:
    labels = torch.tensor(present)[LABELS % len(present)]
    grades = LOGITS.argmax(dim=1)  # of all five classes
    ours = float(balanced_accuracy(multiclass_confusion_matrix(grades, labels, 5)))
    assert ours == pytest.approx(slow_balanced_accuracy(grades, labels), abs=1e-6)
    theirs = float(multiclass_recall(grades, labels, 5, average="macro"))
    # torchmetrics counts a class that was only predicted as a recall of 0.
    assert theirs == pytest.approx(ours * len(present) / 5, abs=1e-6)


def test_a_class_that_neither_occurs_nor_was_predicted_does_not_count() -> None:
    confusion = torch.tensor([[3, 0, 1], [1, 1, 0], [0, 0, 0]])
    assert float(balanced_accuracy(confusion)) == pytest.approx((0.75 + 0.5) / 2)
    once = torch.tensor([[1, 0], [1, 3]])
    assert float(balanced_accuracy(once)) == pytest.approx((1.0 + 0.75) / 2)


def test_calibration_error_equals_torchmetrics() -> None:
    probabilities = LOGITS.softmax(dim=1)
    error = expected_calibration_error(reliability(probabilities, LABELS))
    expected = multiclass_calibration_error(probabilities, LABELS, 5, n_bins=BINS)
    assert error == pytest.approx(float(expected), abs=1e-5)


def test_reliability_counts_every_photograph_once() -> None:
    bins = reliability(
        torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.05, 0.95]]), torch.tensor([0, 1, 0])
    )
    assert [(b["low"], b["count"], b["accuracy"]) for b in bins] == [(0.5, 1, 0.0), (0.9, 2, 0.5)]
    assert [b["high"] for b in bins] == [0.6, 1.0]
    assert expected_calibration_error(bins) == pytest.approx((0.5 + 2 * (0.975 - 0.5)) / 3)


def test_the_temperature_undoes_a_known_overconfidence() -> None:
    generator = torch.Generator().manual_seed(1)
    true = torch.randn(5_000, 3, generator=generator) * 1.5
    labels = true.softmax(dim=1).multinomial(1, generator=generator)[:, 0]
    assert float(fit_temperature(4 * true, labels)) == pytest.approx(4.0, rel=0.1)
    before, after = (
        expected_calibration_error(reliability((4 * true / t).softmax(dim=1), labels))
        for t in (1.0, float(fit_temperature(4 * true, labels)))
    )
    assert after < 0.03 < before


def test_the_temperature_stays_within_its_grid() -> None:
    sure = torch.eye(3)
    for labels, expected in ((torch.arange(3), 0.1), (torch.tensor([1, 2, 0]), 10.0)):
        assert float(fit_temperature(sure, labels)) == pytest.approx(expected)
