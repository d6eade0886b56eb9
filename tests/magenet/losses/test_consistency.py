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


def tensors(output: EnhancerOutput) -> list[Tensor]:
    assert output.structure_logits is not None
    return [*output.stages, output.structure_logits]


def test_consistency_teaches_the_student_only() -> None:
    student = EnhancerOutput(
        (CLEAN.clone().requires_grad_(), (CLEAN + 0.2).requires_grad_()),
        torch.zeros(2, 1, 24, 24, requires_grad=True),
    )
    teacher = EnhancerOutput(
        (CLEAN.clone().requires_grad_(), CLEAN.clone().requires_grad_()),
        torch.ones(2, 1, 24, 24, requires_grad=True),
    )
    terms = ConsistencyLoss(stage_weight=0.5, structure_weight=0.1)(student, teacher, MASK)
    assert float(terms["image"].detach()) == pytest.approx(0.2, rel=1e-4)
    assert float(terms["stages"].detach()) == pytest.approx(0.0, abs=1e-6)
    sigmoid = torch.tensor(1.0).sigmoid()
    assert float(terms["structure"].detach()) == pytest.approx(
        0.1 * float(sigmoid - 0.5) ** 2, rel=1e-3
    )
    torch.stack(list(terms.values())).sum().backward()
    assert all(tensor.grad is not None for tensor in tensors(student))
    assert all(tensor.grad is None for tensor in tensors(teacher))
