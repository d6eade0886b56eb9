"""Agreement and calibration, against torchmetrics where it has the same."""

import pytest
import torch
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_cohen_kappa,
    multiclass_confusion_matrix,
)

from magenet.metrics import (
    balanced_accuracy,
    confusion_matrix,
    expected_calibration_error,
    fit_temperature,
    quadratic_kappa,
    reliability,
)
from magenet.metrics.grading import BINS

GENERATOR = torch.Generator().manual_seed(0)
LABELS = torch.randint(5, (200,), generator=GENERATOR)
LOGITS = torch.randn(200, 5, generator=GENERATOR) + 1.5 * torch.nn.functional.one_hot(LABELS, 5)


def test_equals_torchmetrics() -> None:
    grades = LOGITS.argmax(dim=1)
    confusion = confusion_matrix(grades, LABELS, 5)
    assert torch.equal(confusion, multiclass_confusion_matrix(grades, LABELS, 5))
    assert float(balanced_accuracy(confusion)) == pytest.approx(
        float(multiclass_accuracy(grades, LABELS, 5, average="macro"))
    )
    assert float(quadratic_kappa(confusion)) == pytest.approx(
        float(multiclass_cohen_kappa(grades, LABELS, 5, weights="quadratic")), abs=1e-5
    )
    probabilities = LOGITS.softmax(dim=1)
    error = expected_calibration_error(reliability(probabilities, LABELS))
    expected = multiclass_calibration_error(probabilities, LABELS, 5, n_bins=BINS)
    assert error == pytest.approx(float(expected), abs=1e-5)


def test_a_class_that_does_not_occur_does_not_count() -> None:
    confusion = torch.tensor([[3, 0, 1], [1, 1, 0], [0, 0, 0]])
    assert float(balanced_accuracy(confusion)) == pytest.approx((0.75 + 0.5) / 2)


def test_kappa_of_chance_is_zero_and_of_agreement_one() -> None:
    assert float(quadratic_kappa(torch.full((3, 3), 4))) == pytest.approx(0.0, abs=1e-6)
    assert float(quadratic_kappa(torch.diag(torch.tensor([1, 5, 2])))) == 1.0


def test_reliability_counts_every_photograph_once() -> None:
    bins = reliability(
        torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.05, 0.95]]), torch.tensor([0, 1, 0])
    )
    assert [(b["low"], b["count"], b["accuracy"]) for b in bins] == [(0.5, 1, 0.0), (0.9, 2, 0.5)]
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
