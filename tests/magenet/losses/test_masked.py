import pytest
import torch
from torch import Tensor

from magenet.losses import (
    ConsistencyLoss,
    EnhancementLoss,
    Structure,
    StructureLoss,
    charbonnier,
    mask_like,
    masked_mean,
)
from magenet.losses.masked import CHARBONNIER_EPSILON, laplacian
from magenet.models import EnhancerOutput
from tests.magenet.losses.photographs import CLEAN, MASK


def test_masked_mean_weighs_photographs_alike() -> None:
    values = torch.ones(2, 3, 4, 4) * torch.tensor([1.0, 3.0])[:, None, None, None]
    mask = torch.ones(2, 1, 4, 4)
    mask[1, :, 1:] = 0  # a small field counts as much as a large one
    assert float(masked_mean(values, mask)) == pytest.approx(2.0)
    mask[1] = 0  # a photograph without a field has nothing wrong in it
    assert float(masked_mean(values, mask)) == pytest.approx(0.5)


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
    """To the bit what they are without it."""
    stage = (CLEAN + 0.1 * torch.randn_like(CLEAN)).bfloat16()
    output = EnhancerOutput((stage,), torch.randn(2, 1, 24, 24).bfloat16())
    teacher = EnhancerOutput((CLEAN,), torch.randn(2, 1, 24, 24))
    wanted = Structure(MASK, torch.ones(2, dtype=torch.bool))
    assert output.structure_logits is not None

    def losses() -> list[Tensor]:
        return [
            EnhancementLoss()(output, CLEAN, MASK),
            StructureLoss()(output.structure_logits, wanted, MASK),
            *ConsistencyLoss()(output, teacher, MASK).values(),
        ]

    plain = losses()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = losses()
    difference = stage.float() - CLEAN
    edges = charbonnier(laplacian(difference), MASK)
    assert torch.equal(plain[0], charbonnier(difference, MASK) + 0.05 * edges)
    for one, other in zip(plain, mixed, strict=True):
        assert other.dtype == torch.float32
        assert torch.equal(one, other)
