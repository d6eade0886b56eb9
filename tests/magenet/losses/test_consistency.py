import pytest
import torch

from magenet.losses import (
    ConsistencyLoss,
    ramp_up,
)
from magenet.models import EnhancerOutput

CLEAN = torch.rand(2, 3, 24, 24)


MASK = torch.zeros(2, 1, 24, 24)


MASK[..., 6:18, 6:18] = 1.0


def test_ramp_rises_to_one() -> None:
    values = [ramp_up(t / 10) for t in range(12)]
    assert values == sorted(values)
    assert values[0] < 0.01
    assert values[-1] == 1.0


def test_consistency_teaches_the_student_only() -> None:
    student = EnhancerOutput(
        (CLEAN.clone().requires_grad_(), (CLEAN + 0.2).requires_grad_()),
        torch.zeros(2, 1, 24, 24, requires_grad=True),
    )
    teacher = EnhancerOutput((CLEAN, CLEAN), torch.ones(2, 1, 24, 24))
    terms = ConsistencyLoss(stage_weight=0.5, structure_weight=0.1)(student, teacher, MASK)
    assert float(terms["image"].detach()) == pytest.approx(0.2, rel=1e-4)
    assert float(terms["stages"].detach()) == pytest.approx(0.0, abs=1e-6)
    sigmoid = torch.tensor(1.0).sigmoid()
    assert float(terms["structure"].detach()) == pytest.approx(
        0.1 * float(sigmoid - 0.5) ** 2, rel=1e-3
    )
    torch.stack(list(terms.values())).sum().backward()
    assert student.structure_logits is not None
    assert student.structure_logits.grad is not None
