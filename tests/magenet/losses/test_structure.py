import pytest
import torch

from data_modules.datasets.phantom import Phantom
from magenet.errors import UserError
from magenet.losses import (
    HighFrequencyTarget,
    SegmenterTarget,
    Structure,
    StructureLoss,
    VesselMaskTarget,
)
from magenet.models import VesselSegmenter
from tests.magenet.losses.photographs import CLEAN, MASK


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


def test_structure_loss_is_cross_entropy_and_v_nets_dice_loss_of_each_photograph() -> None:
    logits, target = torch.randn(2, 1, 24, 24), torch.rand(2, 1, 24, 24)
    expected = []
    for logit, wanted, mask in zip(logits.double(), target.double(), MASK, strict=True):
        p, t = logit[mask > 0].sigmoid(), wanted[mask > 0]
        entropy = -(t * p.log() + (1 - t) * (1 - p).log()).mean()
        dice = (2 * (p * t).sum() + 1) / (p.square().sum() + t.square().sum() + 1)
        expected.append(float(entropy + 1 - dice))
    loss = StructureLoss()(logits, Structure(target, torch.ones(2, dtype=torch.bool)), MASK)
    assert float(loss) == pytest.approx(sum(expected) / 2, rel=1e-5)


def test_high_frequency_target_sees_vessels(phantom: Phantom) -> None:
    clean = phantom.image[None].float() / 255
    target = HighFrequencyTarget()(clean, torch.zeros(1, 1, 96, 96), torch.tensor([False]))
    vessels = phantom.vessels[None]
    inside = torch.nn.functional.max_pool2d((~phantom.field.mask)[None].float(), 9, 1, 4) == 0
    assert bool(target.known.all())
    on, off = target.map[vessels & inside].mean(), target.map[~vessels & inside].mean()
    assert float(on) > 4 * float(off)
    assert 0.0 <= float(target.map.min()) <= float(target.map.max()) <= 1.0
    disc = phantom.field.mask[None].float().expand(1, 3, -1, -1)
    even = HighFrequencyTarget()(0.5 * disc, torch.zeros(1, 1, 96, 96), torch.tensor([False]))
    assert float(even.map.max()) < 0.01, "the rim is no vessel"
    black = HighFrequencyTarget()(0 * clean, torch.zeros(1, 1, 96, 96), torch.tensor([False]))
    assert not bool(black.map.any()), "and no number that is none"


def test_only_a_segmenter_reads_photographs() -> None:
    segmenter = VesselSegmenter(width=8, growth=4, blocks=1)
    for target in (VesselMaskTarget(), HighFrequencyTarget(), SegmenterTarget(segmenter)):
        logits = target.read(CLEAN)
        assert target.reads_photographs == (logits is not None)
    torch.testing.assert_close(logits, segmenter(CLEAN))


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
