import pytest
import torch

from data_modules.datasets.phantom import Phantom
from magenet.errors import UserError
from magenet.losses import (
    ConsistencyLoss,
    EnhancementLoss,
    HighFrequencyTarget,
    SegmenterTarget,
    Structure,
    StructureLoss,
    VesselMaskTarget,
    charbonnier,
    mask_like,
    masked_mean,
    ramp_up,
)
from magenet.losses.masked import CHARBONNIER_EPSILON
from magenet.models import EnhancerOutput, VesselSegmenter

CLEAN = torch.rand(2, 3, 24, 24)
MASK = torch.zeros(2, 1, 24, 24)
MASK[..., 6:18, 6:18] = 1.0


def test_masked_mean_weighs_photographs_alike() -> None:
    values = torch.ones(2, 3, 4, 4) * torch.tensor([1.0, 3.0])[:, None, None, None]
    mask = torch.ones(2, 1, 4, 4)
    mask[1, :, 1:] = 0  # a small field counts as much as a large one
    assert float(masked_mean(values, mask)) == pytest.approx(2.0)


def test_charbonnier_is_the_formula() -> None:
    expected = (0.3**2 + CHARBONNIER_EPSILON**2) ** 0.5
    assert float(charbonnier(torch.full_like(CLEAN, 0.3), MASK)) == pytest.approx(
        expected, rel=1e-5
    )


def test_what_lies_outside_the_field_does_not_count() -> None:
    far = MASK.new_zeros(CLEAN.shape)
    far[..., :3, :3] = 5.0  # further from the field than the edge loss reaches
    loss = EnhancementLoss()
    plain, outside = (loss(EnhancerOutput((image,)), CLEAN, MASK) for image in (CLEAN, CLEAN + far))
    assert torch.equal(plain, outside)


def test_every_stage_counts_and_edges_cost() -> None:
    loss = EnhancementLoss(edge_weight=0.05)
    one = loss(EnhancerOutput((CLEAN + 0.1,)), CLEAN, MASK)
    two = loss(EnhancerOutput((CLEAN + 0.1, CLEAN + 0.1)), CLEAN, MASK)
    assert float(two) == pytest.approx(2 * float(one), rel=1e-5)
    noisy = EnhancerOutput((CLEAN + 0.1 * torch.randn_like(CLEAN).sign(),))
    edges = loss(noisy, CLEAN, MASK) - EnhancementLoss(edge_weight=0.0)(noisy, CLEAN, MASK)
    smooth = loss(EnhancerOutput((CLEAN + 0.1,)), CLEAN, MASK) - EnhancementLoss(0.0)(
        EnhancerOutput((CLEAN + 0.1,)), CLEAN, MASK
    )
    assert float(edges) > 10 * float(smooth)


def test_a_stage_at_a_lower_resolution_is_compared_there() -> None:
    loss = EnhancementLoss()
    small = torch.nn.functional.avg_pool2d(CLEAN, 4)
    assert float(loss(EnhancerOutput((small, CLEAN)), CLEAN, MASK)) == pytest.approx(
        2 * float(loss(EnhancerOutput((CLEAN,)), CLEAN, MASK)), rel=1e-4
    )
    odd, field = torch.rand(1, 3, 23, 45), torch.ones(1, 1, 23, 45)
    field[..., 0] = 0  # one pixel of a small place is outside: the place does not count
    inside = mask_like(field, torch.rand(1, 3, 6, 12))
    assert inside.shape == (1, 1, 6, 12)
    assert inside[..., 0].sum() == 0
    assert bool((inside[..., 1:] == 1).all())
    wrong = torch.nn.functional.avg_pool2d(odd, 4, ceil_mode=True)
    wrong[..., 0] += 9.0
    plain = EnhancementLoss(edge_weight=0.0)(EnhancerOutput((wrong, odd)), odd, field)
    assert float(plain) == pytest.approx(2 * CHARBONNIER_EPSILON, rel=1e-3)


def test_losses_are_fp32_under_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        stage = (CLEAN + 1e-3).bfloat16()
        output = EnhancerOutput((stage,), torch.zeros(2, 1, 24, 24).bfloat16())
        assert EnhancementLoss()(output, CLEAN, MASK).dtype == torch.float32
        wanted = Structure(MASK, torch.ones(2, dtype=torch.bool))
        assert StructureLoss()(output.structure_logits, wanted, MASK).dtype == torch.float32
        terms = ConsistencyLoss()(output, output, MASK)
        assert {term.dtype for term in terms.values()} == {torch.float32}


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


def test_structure_loss_ignores_photographs_without_a_map() -> None:
    logits = torch.randn(2, 1, 24, 24)
    known = torch.tensor([True, False])
    loss = StructureLoss()
    one = loss(logits, Structure(MASK, known), MASK)
    changed = MASK.clone()
    changed[1] = 1 - changed[1]
    assert torch.equal(one, loss(logits, Structure(changed, known), MASK))
    assert float(loss(logits, Structure(MASK, torch.zeros(2, dtype=torch.bool)), MASK)) == 0.0


def test_structure_loss_falls_towards_the_truth() -> None:
    wanted = Structure((torch.rand(2, 1, 24, 24) > 0.8).float(), torch.ones(2, dtype=torch.bool))
    right, wrong = (wanted.map * 2 - 1) * 8, (1 - wanted.map * 2) * 8
    assert float(StructureLoss()(right, wanted, MASK)) < 0.01
    assert float(StructureLoss()(wrong, wanted, MASK)) > 1.0


def test_high_frequency_target_sees_vessels(phantom: Phantom) -> None:
    clean = phantom.image[None].float() / 255
    target = HighFrequencyTarget()(clean, torch.zeros(1, 1, 96, 96), torch.tensor([False]))
    vessels = phantom.vessels[None]
    inside = torch.nn.functional.max_pool2d((~phantom.field.mask)[None].float(), 9, 1, 4) == 0
    assert bool(target.known.all())
    on, off = target.map[vessels & inside].mean(), target.map[~vessels & inside].mean()
    assert float(on) > 4 * float(off)


def test_segmenter_target_prefers_the_truth_and_stays_frozen() -> None:
    target = SegmenterTarget(VesselSegmenter(width=8, growth=4, blocks=1))
    target.train()
    assert not target.segmenter.training
    assert not any(p.requires_grad for p in target.parameters())
    known = torch.tensor([True, False])
    wanted = target(CLEAN, MASK, known)
    assert torch.equal(wanted.map[0], MASK[0])
    assert torch.allclose(wanted.map[1], target.segmenter(CLEAN[1:])[0].sigmoid(), atol=1e-6)
    assert bool(wanted.known.all())
    assert torch.equal(VesselMaskTarget()(CLEAN, MASK, known).known, known)


def test_a_missing_segmenter_is_named() -> None:
    target = SegmenterTarget(VesselSegmenter(width=8, growth=4, blocks=1), "nowhere/best.ckpt")
    with pytest.raises(UserError, match=r"nowhere/best\.ckpt.*make segmenter"):
        target.load()
