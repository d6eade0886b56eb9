"""Grades are compared with known labels only."""

import torch
from torch import Tensor, nn

from magenet.evaluation import RetinopathyJudge


def test_retinopathy_counts_grades_and_leaves_out_the_unknown() -> None:
    class Three(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return torch.eye(5)[[3] * len(image)]

    label = torch.tensor([3, 1, -1])
    scores = RetinopathyJudge(Three())(torch.rand(3, 3, 32, 32), {"dr_grade": label})
    assert scores["dr_correct"][:2].tolist() == [1.0, 0.0]
    assert scores["dr_error"][:2].tolist() == [0.0, 2.0]
    assert scores["dr_error"][2].isnan()
