"""Means of the scores are FIQA and WFQA."""

import torch
from torch import Tensor, nn

from magenet.evaluation import QualityJudge


class Fixed(nn.Module):
    """A grader with fixed answers."""

    def __init__(self, grades: list[int]) -> None:
        super().__init__()
        self.logits = torch.eye(3)[grades]

    def forward(self, image: Tensor) -> Tensor:
        return self.logits


def test_quality_means_are_fiqa_and_wfqa() -> None:
    image = torch.rand(4, 3, 32, 32)
    scores = QualityJudge(Fixed([0, 0, 1, 2]))(image, {})
    assert float(scores["fiqa"].mean()) == 0.5
    assert float(scores["wfqa"].mean()) == (2 * 2 + 1) / 4
