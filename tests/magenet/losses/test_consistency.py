import math

import pytest
import torch
from torch import Tensor

from magenet.losses import (
    ConsistencyLoss,
    ramp_up,
)
from magenet.models import EnhancerOutput
from tests.magenet.losses.photographs import CLEAN, MASK


def test_ramp_rises_to_one() -> None:
    values = [ramp_up(t / 10) for t in range(12)]
    assert values == sorted(values)
    assert values[0] < 0.01
    assert values[-1] == 1.0
    assert ramp_up(0.5) == pytest.approx(math.exp(-5 * 0.5**2))
    assert ramp_up(-1.0) == ramp_up(0.0)


def tensors(output: EnhancerOutput) -> list[Tensor]:
    assert output.structure_logits is not None
    return [*output.stages, output.structure_logits]


def test_consistency_teaches_the_student_only() -> None:
    student = EnhancerOutput(
        tuple((CLEAN + by).requires_grad_() for by in (0.0, 0.1, 0.2)),
        torch.zeros(2, 1, 24, 24, requires_grad=True),
    )
    teacher = EnhancerOutput(
        tuple(CLEAN.clone().requires_grad_() for _ in range(3)),
        torch.ones(2, 1, 24, 24, requires_grad=True),
    )
    terms = ConsistencyLoss()(student, teacher, MASK)
    assert float(terms["image"].detach()) == pytest.approx(0.2, rel=1e-4)
    assert float(terms["stages"].detach()) == pytest.approx(0.5 * 0.1, rel=1e-4)
    sigmoid = torch.tensor(1.0).sigmoid()
    assert float(terms["structure"].detach()) == pytest.approx(
        0.1 * float(sigmoid - 0.5) ** 2, rel=1e-3
    )
    torch.stack(list(terms.values())).sum().backward()
    assert all(tensor.grad is not None for tensor in tensors(student))
    assert all(tensor.grad is None for tensor in tensors(teacher))


def test_without_a_structure_on_either_side_there_is_no_structure_term() -> None:
    with_map = EnhancerOutput((CLEAN,), torch.ones(2, 1, 24, 24))
    without = EnhancerOutput((CLEAN,))
    for student, teacher in ((with_map, without), (without, with_map), (without, without)):
        assert float(ConsistencyLoss()(student, teacher, MASK)["structure"]) == 0.0


def test_stages_are_compared_in_pairs() -> None:
    with pytest.raises(ValueError, match="zip"):
        ConsistencyLoss()(EnhancerOutput((CLEAN, CLEAN)), EnhancerOutput((CLEAN,)), MASK)
