"""Lost vessels lead to a verdict."""

import pytest
from torch import nn

from magenet.evaluation import FidelityJudge
from magenet.evaluation.judge import Batch
from tests.magenet.evaluation.conftest import Darkness, only


def test_fidelity_abstains_where_vessels_vanish(batch: Batch) -> None:
    judge, mask = FidelityJudge(Darkness()), batch["mask_fov"]
    judge.start_batch(batch)
    same = judge(batch["image"], batch)
    assert only(same, "verdict") == only(same, "vessel_lost") == only(same, "colour_change") == 0
    flat = nn.functional.avg_pool2d(batch["image"], 31, 1, 15) * mask
    gone = judge(flat, batch)
    assert only(gone, "vessel_lost") > 0.8
    assert only(gone, "abstain") == 1.0
    darker = judge(batch["image"] * 0.5, batch)
    assert only(darker, "brightness_change") < -5
    assert only(darker, "contrast_gain") == pytest.approx(0.5, abs=0.02)
    assert only(same, "detail_gain") == 1.0 > only(gone, "detail_gain")
    blank = {**batch, "image": batch["mask_fov"].expand(-1, 3, -1, -1) * 0.5}
    judge.start_batch(blank)
    assert judge(blank["image"], blank)["vessel_lost"].isnan().all()
    assert only(judge(blank["image"], blank), "verdict") == 1.0, "nothing seen is nothing known"


def test_the_order_of_the_subjects_does_not_matter(batch: Batch) -> None:
    judge = FidelityJudge(Darkness())
    with pytest.raises(RuntimeError, match="start_batch"):
        judge(batch["image"], batch)
    judge.start_batch(batch)
    first = judge(batch["image"] * 0.5, batch)
    judge(batch["image"], batch)
    again = judge(batch["image"] * 0.5, batch)
    assert {name: float(score) for name, score in first.items()} == {
        name: float(score) for name, score in again.items()
    }
