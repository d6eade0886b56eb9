"""The displacement by the enhancement is separate from the segmenter's error."""

import pytest
import torch

from magenet.evaluation import DiscJudge
from magenet.evaluation.judge import Batch
from tests.magenet.evaluation.conftest import Darkness, only


def test_a_shift_by_the_enhancement_is_separate_from_an_error_of_the_segmenter(
    batch: Batch,
) -> None:
    """The disc segmented in the input is off the reference; the enhancement does not move it."""
    left = torch.zeros_like(batch["mask_fov"])
    left[..., :80] = 1.0
    reference = (Darkness()(batch["image"]) > 0) * left
    beside = {**batch, "mask_disc": reference, "disc_known": torch.tensor([True])}
    judge = DiscJudge(Darkness())
    judge.start_batch(beside)
    scores = judge(batch["image"], beside)
    assert only(scores, "disc_shift") > 0.05
    assert only(scores, "disc_moved") == 0.0
    moved = judge(batch["image"] * left, beside)
    assert only(moved, "disc_moved") > 0.05


def test_the_disc_judge_uses_the_batch_that_was_started(batch: Batch) -> None:
    labelled = {**batch, "mask_disc": batch["mask_fov"], "disc_known": torch.tensor([True])}
    judge = DiscJudge(Darkness())
    with pytest.raises(RuntimeError, match="start_batch"):
        judge(batch["image"], labelled)
    judge.start_batch(labelled)
    assert only(judge(batch["image"], labelled), "disc_moved") == 0.0
    flipped = {**labelled, "image": batch["image"].flip(3)}
    judge.start_batch(flipped)
    assert only(judge(flipped["image"], flipped), "disc_moved") == 0.0
    assert only(judge(batch["image"], flipped), "disc_moved") > 0.05
    judge.start_batch(batch)
    assert judge(batch["image"], batch) == {}, "no label of the disc"


def test_the_cup_is_judged_by_its_overlap_alone(batch: Batch) -> None:
    judge = DiscJudge(Darkness(), structure="cup")
    reference = (Darkness()(batch["image"]) > 0).float()
    known = {**batch, "mask_cup": reference, "cup_known": torch.tensor([True])}
    judge.start_batch(known)
    scores = judge(batch["image"], known)
    assert scores.keys() == {"cup_dice"}
    assert only(scores, "cup_dice") == pytest.approx(1.0)
    unknown = judge(batch["image"], {**known, "cup_known": torch.tensor([False])})
    assert bool(unknown["cup_dice"].isnan().all())
    assert judge(batch["image"], batch) == {}, "no label of the cup"
