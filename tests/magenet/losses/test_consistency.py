import math

import pytest
import torch
from torch import Tensor

from magenet.losses import (
    ConsistencyLoss,
    ramp_up,
)
from magenet.losses.consistency import structure_distance
from magenet.models import EnhancerOutput, Window
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
    assert float(terms["structure"].detach()) > 0
    torch.stack(list(terms.values())).sum().backward()
    assert all(tensor.grad is not None for tensor in tensors(student))
    assert all(tensor.grad is None for tensor in tensors(teacher))


def logits(probability: float) -> Tensor:
    return torch.full((2, 1, 24, 24), probability).logit()


def test_equal_structure_maps_have_no_distance() -> None:
    for probability in (0.02, 0.5, 0.9):
        same = logits(probability)
        assert float(structure_distance(same, same, MASK)) == pytest.approx(0.0, abs=1e-6)


def test_the_distance_of_structure_maps_in_closed_form() -> None:
    mask = torch.ones(2, 1, 24, 24)
    p, q = 0.8, 0.3  # target, found
    divergence = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    pixels = 24 * 24
    dice = 1 - (2 * p * q * pixels + 1) / ((p * p + q * q) * pixels + 1)
    found = float(structure_distance(logits(q), logits(p), mask))
    assert found == pytest.approx(divergence + dice, rel=1e-4)


def test_a_vessel_that_the_student_is_sure_not_to_see_has_a_gradient() -> None:
    """The squared error of probabilities loses it."""
    mask = torch.ones(2, 1, 24, 24)
    student = logits(0.001).requires_grad_()
    pulls = []
    for loss in (
        structure_distance(student, logits(0.9), mask),
        (student.sigmoid() - logits(0.9).sigmoid()).square().mean(),
    ):
        (gradient,) = torch.autograd.grad(loss, student)
        assert bool((gradient < 0).all())
        pulls.append(float(-gradient.sum()))
    assert pulls[0] > 0.5
    assert pulls[0] > 100 * pulls[1]


def test_structure_outside_the_field_does_not_count() -> None:
    mask = torch.ones(2, 1, 24, 24)
    mask[..., 12:] = 0
    changed = logits(0.3)
    changed[..., 12:] = 5.0
    plain, other = (float(structure_distance(x, logits(0.8), mask)) for x in (logits(0.3), changed))
    assert plain == pytest.approx(other, rel=1e-6)


SIDE = 64
FIELD = torch.ones(2, 1, SIDE, SIDE)


def image_distance(
    loss: ConsistencyLoss, difference: Tensor, weight: Tensor | None = None, mask: Tensor = FIELD
) -> float:
    """Return the image term of two outputs that differ by so much."""
    teacher = EnhancerOutput((0.5 * torch.ones(2, 3, SIDE, SIDE),))
    student = EnhancerOutput((teacher.image + difference,))
    return float(loss(student, teacher, mask, weight)["image"])


def test_without_light_only_detail_has_to_agree() -> None:
    light = torch.linspace(-0.1, 0.1, SIDE).expand(2, 3, SIDE, SIDE)
    detail = 0.1 * (-1.0) ** torch.arange(SIDE).expand(2, 3, SIDE, SIDE)
    loss = ConsistencyLoss(light=False)
    assert image_distance(ConsistencyLoss(), light) == pytest.approx(0.05, rel=0.05)
    assert image_distance(loss, light) < 0.01
    assert image_distance(loss, 0.1 * torch.ones(2, 3, SIDE, SIDE)) == pytest.approx(0, abs=1e-6)
    assert image_distance(loss, detail) == pytest.approx(0.1, rel=0.1)
    places = torch.arange(SIDE) - SIDE / 2 + 0.5
    eye = (places.square()[:, None] + places.square() < (0.3 * SIDE) ** 2).float()
    eye = eye.expand(2, 1, SIDE, SIDE)
    constant = 0.1 * torch.ones(2, 3, SIDE, SIDE)
    assert image_distance(loss, constant, mask=eye) == pytest.approx(0, abs=1e-5), "no rim"


def test_what_disagrees_most_can_be_left_out() -> None:
    difference = torch.zeros(2, 3, SIDE, SIDE)
    difference[:, :, :8] = 0.02
    difference[:, :, 8:16] = 0.2  # an eighth of the pixels
    difference[1] *= 2  # trimmed photograph by photograph
    assert image_distance(ConsistencyLoss(trim=0.125), difference) == pytest.approx(
        1.5 * 0.02 / 7, rel=1e-4
    )
    assert image_distance(ConsistencyLoss(trim=0.25), difference) == pytest.approx(0, abs=1e-7)
    field = torch.zeros(2, 1, SIDE, SIDE)
    field[:, :, 8:24] = 1.0
    rows = 0.01 * torch.arange(float(SIDE))[:, None].expand(2, 3, SIDE, SIDE)
    left = image_distance(ConsistencyLoss(trim=0.25), rows, mask=field)
    assert left == pytest.approx(0.01 * (8 + 19) / 2, rel=1e-4), "a quarter of the field"
    with pytest.raises(ValueError, match="trim"):
        ConsistencyLoss(trim=1.0)


def test_a_teacher_that_is_not_believed_pulls_less() -> None:
    """Not in proportion to its neighbours: a photograph with no weight at all pulls at nothing."""
    difference = 0.1 * torch.ones(2, 3, SIDE, SIDE)
    weight = torch.ones(2, 1, SIDE, SIDE)
    weight[0] = 0.0
    weight[1, :, :32] = 0.5
    assert image_distance(ConsistencyLoss(), difference, weight) == pytest.approx(0.1 * 0.75 / 2)
    logits_of = [torch.zeros(2, 1, SIDE, SIDE), 3.0 * torch.ones(2, 1, SIDE, SIDE)]
    outputs = [EnhancerOutput((torch.zeros(2, 3, SIDE, SIDE),), value) for value in logits_of]
    terms = ConsistencyLoss()(*outputs, FIELD, torch.zeros_like(weight))
    assert float(terms["structure"]) == pytest.approx(0.0, abs=1e-6)


def test_without_a_structure_on_either_side_there_is_no_structure_term() -> None:
    with_map = EnhancerOutput((CLEAN,), torch.ones(2, 1, 24, 24))
    without = EnhancerOutput((CLEAN,))
    for student, teacher in ((with_map, without), (without, with_map), (without, without)):
        assert float(ConsistencyLoss()(student, teacher, MASK)["structure"]) == 0.0


def test_stages_are_compared_in_pairs() -> None:
    with pytest.raises(ValueError, match="zip"):
        ConsistencyLoss()(EnhancerOutput((CLEAN, CLEAN)), EnhancerOutput((CLEAN,)), MASK)


def test_in_windows_the_last_estimates_are_compared_inside_the_field_they_show() -> None:
    mask = torch.ones(1, 1, 100, 100)
    mask[..., 50:] = 0.0
    window = Window([[(0, 0), (0, 64)]], 32, 32, (100, 100))
    coarse = torch.rand(1, 3, 24, 24)  # of a size of its own
    last = torch.rand(2, 3, 32, 32)
    teacher = EnhancerOutput((coarse, last))
    wrong = last.clone()
    wrong[1] += 0.5  # a window outside the field
    found = ConsistencyLoss()(EnhancerOutput((coarse, wrong)), teacher, mask, window=window)
    assert float(found["image"]) == pytest.approx(0.0, abs=1e-6)
    wrong[0] += 0.1
    found = ConsistencyLoss()(EnhancerOutput((coarse + 0.2, wrong)), teacher, mask, window=window)
    assert float(found["image"]) == pytest.approx(0.05, rel=0.05), "one window of two"
    assert float(found["stages"]) == pytest.approx(0.5 * 0.2, rel=0.05)
