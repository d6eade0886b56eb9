"""Scores of vessels against their definitions, pixel by pixel."""

import math

import pytest
import torch
from scipy.stats import mannwhitneyu
from torch import Tensor

from magenet.metrics import MaskedDice, centerline_dice, masked_dice, vessel_scores

NAMES = ("balanced_accuracy", "accuracy", "iou", "dice", "roc_auc", "cldice")


@pytest.fixture
def maps() -> tuple[Tensor, Tensor, Tensor]:
    """Noisy probabilities in steps of 0.05 (so that there are ties), truths and unequal fields."""
    truth = torch.zeros(5, 1, 24, 28)
    truth[..., 4:7, :] = truth[..., :, 10:12] = 1.0
    noise = torch.linspace(0.1, 0.9, 5)[:, None, None, None] * torch.rand(5, 1, 24, 28)
    probability = ((0.3 + 0.4 * truth + noise - noise.mean()).clamp(0, 1) * 20).round() / 20
    mask = torch.zeros_like(truth)
    for index in range(5):
        mask[index, :, index : 20 + index % 3, 3 : 20 + index] = 1.0
    return probability, truth, mask


def slow_dice(probability: Tensor, truth: Tensor, mask: Tensor) -> float:
    inside = mask[0].bool()
    a, b = probability[0][inside] >= 0.5, truth[0][inside] >= 0.5
    return 2 * int((a & b).sum()) / max(1, int(a.sum() + b.sum()))


def test_dice_equals_its_definition_per_batch_and_accumulated(
    maps: tuple[Tensor, Tensor, Tensor],
) -> None:
    expected = [slow_dice(*photograph) for photograph in zip(*maps, strict=True)]
    assert masked_dice(*maps).tolist() == pytest.approx(expected, rel=2e-4)
    accumulated = MaskedDice()
    for part in (slice(0, 1), slice(1, 3), slice(3, 5)):  # uneven: a mean of means would differ
        accumulated.update(*(plane[part] for plane in maps))
    assert float(accumulated.compute()) == pytest.approx(sum(expected) / 5, rel=2e-4)


def test_dice_of_few_pixels_or_none() -> None:
    nothing, field = torch.zeros(1, 1, 6, 6), torch.ones(1, 1, 6, 6)
    pixel = nothing.clone()
    pixel[..., 2, 3] = 0.5  # at least 0.5 is inside
    assert float(masked_dice(nothing, nothing, field)) == 1.0
    assert float(masked_dice(pixel, pixel, field)) == 1.0
    assert float(masked_dice(pixel, nothing, field)) == 0.0
    assert float(masked_dice(nothing, pixel, field)) == 0.0
    assert math.isnan(masked_dice(nothing, nothing, nothing))
    assert float(vessel_scores(pixel, pixel, field)["dice"]) == 1.0


def slow_scores(probability: Tensor, truth: Tensor, mask: Tensor) -> dict[str, float]:
    """Count one photograph's pixels one by one."""
    tp = fp = fn = tn = 0
    pixels = []
    for p, t, m in zip(
        probability.flatten().tolist(), truth.flatten().tolist(), mask.flatten().tolist(),
        strict=True,
    ):  # fmt: skip
        if m:
            pixels.append((p, int(t)))
            tp += p >= 0.5 and t == 1
            fp += p >= 0.5 and t == 0
            fn += p < 0.5 and t == 1
            tn += p < 0.5 and t == 0
    above, below = ([p for p, true in pixels if true == kind] for kind in (1, 0))
    return {
        "balanced_accuracy": (tp / (tp + fn) + tn / (tn + fp)) / 2,
        "accuracy": (tp + tn) / (tp + tn + fp + fn),
        "iou": tp / (tp + fp + fn),
        "dice": 2 * tp / (2 * tp + fp + fn),
        "roc_auc": float(mannwhitneyu(above, below).statistic / (len(above) * len(below))),
    }


def test_scores_equal_their_definitions(maps: tuple[Tensor, Tensor, Tensor]) -> None:
    scores = vessel_scores(*maps)
    assert tuple(scores) == NAMES
    slow = [slow_scores(*photograph) for photograph in zip(*maps, strict=True)]
    for name in slow[0]:
        assert scores[name].tolist() == pytest.approx([one[name] for one in slow], abs=1e-6), name
    assert torch.equal(scores["dice"], masked_dice(*maps))
    assert torch.equal(scores["cldice"], centerline_dice(*maps))
    assert 0.5 < float(scores["roc_auc"].min()) < float(scores["roc_auc"].max()) <= 1.0


def test_batches_change_nothing(maps: tuple[Tensor, Tensor, Tensor]) -> None:
    whole = vessel_scores(*maps)
    parts = [vessel_scores(*(plane[rows] for plane in maps)) for rows in (slice(0, 1), slice(1, 5))]
    for name, score in whole.items():
        assert torch.equal(torch.cat([part[name] for part in parts]), score), name


def test_what_lies_outside_the_field_does_not_count(maps: tuple[Tensor, Tensor, Tensor]) -> None:
    probability, truth, mask = maps
    changed = torch.where(mask > 0, probability, 1 - probability)
    unknown = torch.where(mask > 0, probability, torch.nan)
    for other in (changed, unknown):
        scores = vessel_scores(other, torch.where(mask > 0, truth, 1 - truth), mask)
        for name, score in vessel_scores(*maps).items():
            assert torch.equal(scores[name], score), name


def test_a_perfect_mask_scores_one_and_an_inverted_one_zero(
    maps: tuple[Tensor, Tensor, Tensor],
) -> None:
    _, truth, mask = maps
    for name, score in vessel_scores(truth, truth, mask).items():
        assert score.tolist() == [1.0] * 5, name
    for name, score in vessel_scores(1 - truth, truth, mask).items():
        assert score.tolist() == [0.0] * 5, name


def test_finding_nothing_is_a_score_and_not_undefined(maps: tuple[Tensor, Tensor, Tensor]) -> None:
    _, truth, mask = maps
    scores = vessel_scores(torch.zeros_like(truth), truth, mask)
    for name in ("iou", "dice", "cldice"):
        assert scores[name].tolist() == [0.0] * 5, name
    for name in ("balanced_accuracy", "roc_auc"):
        assert scores[name].tolist() == [0.5] * 5, name


@pytest.mark.parametrize("found", [0.0, 0.7])
def test_without_a_vessel_only_accuracy_is_defined(found: float) -> None:
    one = torch.ones(1, 1, 8, 8)
    truth = torch.zeros_like(one)
    truth[..., 0] = 1.0  # a vessel outside the field is none
    mask = 1 - truth
    scores = vessel_scores(found * one, truth, mask)
    assert float(scores.pop("accuracy")) == float(found < 0.5)
    assert all(math.isnan(score) for score in scores.values()), scores


def test_all_vessel_and_an_empty_field() -> None:
    one = torch.ones(1, 1, 8, 8)
    scores = vessel_scores(one, one, one)
    assert {name for name, score in scores.items() if score.isnan()} == {
        "balanced_accuracy",
        "roc_auc",
    }
    assert all(math.isnan(score) for score in vessel_scores(one, one, 0 * one).values())


def test_what_cannot_be_scored_is_an_error(maps: tuple[Tensor, Tensor, Tensor]) -> None:
    probability, truth, mask = maps
    with pytest.raises(ValueError, match="one shape"):
        vessel_scores(probability, truth[:1], mask)  # would broadcast
    with pytest.raises(ValueError, match="one shape"):
        masked_dice(probability, truth[:1], mask)
    with pytest.raises(ValueError, match="one shape"):
        vessel_scores(*(plane.expand(-1, 3, -1, -1) for plane in maps))
    with pytest.raises(ValueError, match="NaN"):
        vessel_scores(torch.full_like(truth, torch.nan), truth, mask)
