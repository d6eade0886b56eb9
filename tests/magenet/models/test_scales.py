import pytest
import torch
from torch import Tensor

from magenet.models import EnhancerOutput, MAGENet
from magenet.models import scales as scales_module
from magenet.models.enhancer import resized_to
from magenet.models.scales import COARSEST, with_coarser
from magenet.models.window import whole_window
from tests.magenet.models.test_detail import LEVEL, SMALL, eyes
from tests.magenet.models.test_mage_net import awake

SIDE = 2 * COARSEST


def grey(side: int = SIDE) -> Tensor:
    """Return an eye without structure before a black surround."""
    image = torch.full((1, 3, side, side), 0.4)
    image[..., :100, :] = 0.0
    return image


def chequered(side: int) -> Tensor:
    """Return a pattern of single pixels."""
    rows, columns = torch.arange(side)[:, None], torch.arange(side)
    return ((rows + columns) % 2 * 2.0 - 1.0)[None, None]


def brighter(image: Tensor) -> EnhancerOutput:
    """Return photographs whose retina is brighter, as a coarser scale wants it."""
    return EnhancerOutput((image + 0.1 * (image > 0),))


def test_fine_change_is_of_the_own_scale_and_wide_change_the_mean_of_both() -> None:
    image = grey()
    inside = (image > 0).float()
    fine = 0.05 * chequered(SIDE) * inside
    result = with_coarser(image + fine - 0.2 * inside, image, brighter)
    wanted = image + ((0.1 - 0.2) / 2 + fine) * inside
    assert float((result - wanted).abs().max()) < LEVEL, "up to the rim of the field"
    assert torch.equal(result[..., :100, :], image[..., :100, :]), "nothing beside the retina"


def test_equal_scales_change_nothing() -> None:
    image = 0.3 + 0.4 * torch.rand(1, 3, SIDE, SIDE + 30)
    result = with_coarser(image + 0.1, image, lambda reduced: EnhancerOutput((reduced + 0.1,)))
    assert torch.allclose(result, image + 0.1, atol=1e-5)


def test_small_photographs_have_one_scale_and_large_ones_each_half() -> None:
    sides: list[int] = []

    def restore(image: Tensor) -> EnhancerOutput:
        sides.append(image.shape[-1])
        return EnhancerOutput((with_coarser(image, image, restore),))

    for side in (SIDE - 1, SIDE, 2 * SIDE):
        restore(torch.rand(1, 3, side, side))
    assert sides == [SIDE - 1, SIDE, COARSEST, 2 * SIDE, SIDE, COARSEST]


def test_clipped_places_stay() -> None:
    image = grey()
    image[..., 300:360, 300:360] = 1.0
    result = with_coarser(image, image, brighter)
    assert torch.equal(result[..., 305:355, 305:355], image[..., 305:355, 305:355])
    assert float(result[..., 500:, 500:].mean()) == pytest.approx(0.45, abs=1e-3)


def test_a_network_restores_at_all_scales_unless_it_is_asked_for_a_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scales_module, "COARSEST", 48)
    torch.manual_seed(0)
    network, image = awake(MAGENet(**SMALL)).eval(), eyes(1, 96, 128)
    with torch.no_grad():
        result = network(image).stages[-1]
        own, half = (
            network(seen, window=whole_window((seen.shape[-2], seen.shape[-1]), 1, 16)).stages[-1]
            for seen in (image, resized_to(image, [48, 64]))
        )
    assert float((result - own).abs().mean()) > LEVEL
    assert torch.allclose(
        result, with_coarser(own, image, lambda _: EnhancerOutput((half,))), atol=1e-5
    )
