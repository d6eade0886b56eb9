"""A network of one's own that returns something else is told so, and no wrong score is written."""

from typing import Any

import pytest
import torch
from torch import Tensor

from magenet.errors import UsageError
from magenet.models import Enhancer, EnhancerOutput
from magenet.tasks import SupervisedTask

PAIRS = {
    "image_degraded": torch.rand(2, 3, 48, 48), "image_clean": torch.rand(2, 3, 48, 48),
    "mask_fov": torch.ones(2, 1, 48, 48), "mask_vessel": torch.zeros(2, 1, 48, 48),
    "vessel_known": torch.ones(2), "name": ["a", "b"],
}  # fmt: skip


class Returning(Enhancer):
    """Returns what a function makes of the photographs."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, image: Tensor, mask: Tensor | None = None) -> Any:
        return self.function(self.scale * image)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda x: x, r"Returning returned a tensor \(2, 3, 48, 48\): an enhancer returns"),
        (EnhancerOutput, "a tensor as its stages; a comma is missing"),
        (lambda x: EnhancerOutput([x]), "list as its stages"),  # type: ignore[arg-type]
        (lambda x: EnhancerOutput(()), "tuple as its stages"),
        (lambda x: EnhancerOutput((x[:, :1],)), r"\(2, 1, 48, 48\) as its last estimate"),
        (lambda x: EnhancerOutput((x, x[..., ::2, ::2])), r"\(2, 3, 24, 24\) as its last"),
    ],
)
def test_what_is_no_output_of_an_enhancer_is_refused_wherever_it_is_used(
    function: Any, told: str
) -> None:
    task = SupervisedTask(Returning(function))
    task.image_size = 48
    with pytest.raises(UsageError, match=told):
        task.student_output(PAIRS["image_degraded"], PAIRS)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=told):
        task.validation_step(PAIRS, 0)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=told):
        task.test_step(PAIRS, 0)  # type: ignore[arg-type]


def test_what_is_one_passes() -> None:
    task = SupervisedTask(Returning(lambda x: EnhancerOutput((x[..., ::2, ::2], x))))
    task.image_size = 48
    assert len(task.student_output(PAIRS["image_degraded"], PAIRS).stages) == 2  # type: ignore[arg-type]
    assert task.test_step(PAIRS, 0)["student"].shape == (2, 3, 48, 48)  # type: ignore[arg-type]
