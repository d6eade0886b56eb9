"""Pairs are compared up to a shift of two pixels and another illumination."""

import pytest
import torch
from torch import Tensor, nn

from magenet.evaluation import PairJudge, PairVesselJudge
from magenet.evaluation.judge import Batch
from magenet.evaluation.pairs import match_colours
from tests.magenet.evaluation.conftest import Darkness, only


def test_pairs_allow_two_pixels_and_another_illumination(batch: Batch) -> None:
    high = batch["image"]
    pair = {**batch, "image_high": high, "mask_valid": batch["mask_fov"]}
    judge = PairJudge(Darkness())
    with pytest.raises(RuntimeError, match="start_batch"):
        judge(high, pair)
    judge.start_batch(pair)
    same = judge(high, pair)
    assert only(same, "pair_vessel_dice") == pytest.approx(1.0)
    assert only(same, "pair_colour") == 0.0
    assert only(same, "pair_vessel_auc") == pytest.approx(1.0)

    moved = judge(torch.roll(high, (2, -1), (2, 3)), pair)
    assert only(moved, "pair_vessel_dice") > 0.99
    assert only(moved, "pair_psnr") > 45
    assert only(moved, "pair_vessel_auc") > 0.99
    far = judge(torch.roll(high, (9, 9), (2, 3)), pair)
    assert only(far, "pair_vessel_dice") < 0.5
    assert only(far, "pair_vessel_auc") < 0.9

    dimmed = judge(high * torch.tensor([0.7, 0.8, 0.9])[:, None, None], pair)
    assert only(dimmed, "pair_psnr") > 45, "another illumination"
    assert only(dimmed, "pair_colour") > 3

    blurred = judge(nn.functional.avg_pool2d(high, 9, 1, 4) * batch["mask_fov"], pair)
    for name in ("pair_vessel_dice", "pair_psnr", "pair_ssim"):
        assert only(blurred, name) < only(moved, name), name

    half = batch["mask_fov"].clone()
    half[..., :80] = 0.0
    changed = high.clone()
    changed[..., :70] = 0.5
    pair["mask_valid"] = half
    assert only(judge(changed, pair), "pair_vessel_dice") > 0.9, "outside the valid part"


def test_the_high_photograph_is_segmented_once_a_batch(batch: Batch) -> None:
    seen: list[Tensor] = []

    class Counter(Darkness):
        def forward(self, image: Tensor) -> Tensor:
            seen.append(image)
            return super().forward(image)

    pair = {**batch, "image_high": batch["image"].flip(3), "mask_valid": batch["mask_fov"]}
    judge = PairJudge(Counter())
    judge.start_batch(pair)
    for _ in range(3):
        judge(batch["image"], pair)
    assert sum(bool((image == pair["image_high"]).all()) for image in seen) == 1
    assert len(seen) == 4


def test_matching_is_the_least_squares_fit(batch: Batch) -> None:
    image, mask = batch["image"], batch["mask_fov"]
    like = (0.6 * image + 0.05) * mask
    assert torch.allclose(match_colours(image, like, mask) * mask, like, atol=1e-4)


def test_a_second_judge_of_vessels_has_names_of_its_own(batch: Batch) -> None:
    high = batch["image"]
    pair = {**batch, "image_high": high, "mask_valid": batch["mask_fov"]}
    first, second = PairJudge(Darkness()), PairVesselJudge(Darkness(), name="ridge")
    for judge in (first, second):
        judge.start_batch(pair)
    scores, own = first(high, pair), second(high, pair)
    assert set(own) == {"pair_ridge_dice", "pair_ridge_iou", "pair_ridge_auc"}
    for score, value in own.items():
        assert torch.equal(value, scores[score.replace("ridge", "vessel")])
    assert second(high, batch) == {}, "no pair"


def test_a_better_photograph_without_vessels_says_nothing_of_them(batch: Batch) -> None:
    high = torch.full_like(batch["image"], 0.9)
    pair = {**batch, "image_high": high, "mask_valid": batch["mask_fov"]}
    judge = PairVesselJudge(Darkness())
    judge.start_batch(pair)
    for shown in (high, batch["image"]):  # neither one that shows none, nor one that shows some
        assert all(bool(score.isnan().all()) for score in judge(shown, pair).values())
