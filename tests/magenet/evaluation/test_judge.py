"""What all judges share: unknown labels, weights, evaluation mode."""

import pytest
import torch
from torch import nn

from magenet.errors import UserError
from magenet.evaluation import DiscJudge, LesionJudge, VesselJudge
from magenet.evaluation.judge import Batch
from tests.magenet.evaluation.conftest import Darkness, only


def test_an_unknown_label_is_nan(batch: Batch) -> None:
    two = {k: torch.cat([v, v]) for k, v in batch.items()}
    known = torch.tensor([True, False])
    vessels = (Darkness()(two["image"]) > 0).float()
    two |= {"mask_vessel": vessels, "vessel_known": known}
    two |= {"mask_disc": vessels, "disc_known": known}
    two |= {"mask_lesions": vessels.expand(-1, 4, -1, -1).clone(), "lesions_known": known}
    two["mask_lesions"][:, 1:] = 0.0
    for judge in (VesselJudge(Darkness()), DiscJudge(Darkness()), LesionJudge()):
        judge.start_batch(two)
        scores = judge(two["image"], two)
        assert scores, type(judge)
        for name, value in scores.items():
            assert value[1].isnan(), name
    assert only(VesselJudge(Darkness())(two["image"], two), "vessel_dice") == 1.0
    disc = DiscJudge(Darkness())
    disc.start_batch(two)
    assert only(disc(two["image"], two), "disc_shift") == 0.0
    judge = LesionJudge()
    judge.start_batch(two)
    lesions = judge(two["image"], two)
    assert only(lesions, "microaneurysm_detectability") > 0.8
    assert lesions["haemorrhage_contrast"].isnan().all(), "there is none of that kind"
    assert VesselJudge(Darkness())(two["image"], batch) == {}, "no labels at all"


def test_missing_weights_are_an_error_with_advice() -> None:
    with pytest.raises(UserError, match=r"nowhere\.ckpt: no such checkpoint.*make judges"):
        VesselJudge(Darkness(), "nowhere.ckpt").load()


def test_the_network_of_a_judge_stays_frozen_in_evaluation_mode() -> None:
    judge = VesselJudge(nn.Sequential(nn.Conv2d(3, 1, 3), nn.Dropout(0.5))).train()
    assert not judge.network.training
    assert not any(p.requires_grad for p in judge.parameters())
