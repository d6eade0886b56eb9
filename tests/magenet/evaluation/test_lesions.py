"""A flattened lesion is not preserved."""

import pytest
import torch

from magenet.evaluation import LesionJudge
from magenet.evaluation.judge import Batch
from tests.magenet.evaluation.conftest import Darkness, only


def test_a_flattened_lesion_is_not_preserved(batch: Batch) -> None:
    lesion = (Darkness()(batch["image"]) > 0).float() * batch["mask_fov"]
    lesions = torch.cat([lesion, torch.zeros(1, 3, *lesion.shape[2:])], dim=1)
    labelled = {**batch, "mask_lesions": lesions, "lesions_known": torch.tensor([True])}
    judge = LesionJudge()
    with pytest.raises(RuntimeError, match="start_batch"):
        judge(batch["image"], labelled)
    judge.start_batch(labelled)
    same = judge(batch["image"], labelled)
    assert only(same, "microaneurysm_preserved") == 1.0
    flat = torch.where(lesion > 0, 0.9 * batch["image"] + 0.1, batch["image"])
    assert only(judge(flat, labelled), "microaneurysm_preserved") < 0.5
