import pytest
import torch
from torch import Tensor

from magenet.models.pyramid import band_contrast
from magenet.models.surround import RIM, surround_filled

SIDE = 256


def eye(side: int = SIDE, level: float = 0.5) -> tuple[Tensor, Tensor]:
    """Return an even field in a black surround, and where it is, `(1, 1, S, S)`."""
    axis = torch.arange(side) - side / 2
    field = ((axis[:, None].square() + axis.square()).sqrt() < 0.4 * side).float()[None, None]
    return level * field.expand(1, 3, -1, -1), field


def lines(field: Tensor) -> Tensor:
    """Return faint dark lines, each 4 px wide, in a field."""
    dark = 0.03 * ((torch.arange(field.shape[-1]) // 4) % 2)
    return (0.5 - dark) * field.expand(-1, 3, -1, -1)


def test_a_surround_is_filled_with_the_colour_of_the_field() -> None:
    image, _ = eye()
    image = image * torch.tensor([1.0, 0.5, 0.2]).view(1, 3, 1, 1)
    wanted = torch.tensor([0.5, 0.25, 0.1]).view(1, 3, 1, 1).expand_as(image)
    assert torch.allclose(surround_filled(image), wanted, atol=1e-3)


def test_nothing_is_changed_inside() -> None:
    image, field = eye()
    image = lines(field)
    deep = -torch.nn.functional.max_pool2d(-field, 2 * RIM + 3, 1, RIM + 1) > 0
    assert torch.equal(surround_filled(image)[deep.expand_as(image)], image[deep.expand_as(image)])
    whole = 0.1 + 0.8 * torch.rand(2, 3, 70, 93)
    assert torch.equal(surround_filled(whole), whole), "no surround, nothing to fill"


def test_a_dark_pixel_is_no_surround() -> None:
    image = torch.full((1, 3, 64, 64), 0.5)
    image[..., 30, 20] = 0.0
    assert torch.equal(surround_filled(image), image)


def test_the_rim_is_no_detail() -> None:
    """Beside it lines have the contrast that they have in the middle, and an even field none."""
    even, field = eye()
    image = lines(field)
    inside = torch.nn.functional.avg_pool2d(field, 16) >= 1.0
    middle = torch.zeros_like(inside)
    middle[..., 7:9, 7:9] = True

    def contrasts(seen: Tensor) -> Tensor:
        return band_contrast(seen, 4)[:, 1:2]

    found = contrasts(surround_filled(image))
    ratio = found[inside] / found[middle].mean()
    assert 0.7 < float(ratio.min()) <= float(ratio.max()) < 1.3
    assert float(band_contrast(surround_filled(even), 4)[inside.expand(1, 4, -1, -1)].max()) < 1e-3
    assert float((contrasts(image)[inside] / found[middle].mean()).max()) > 3.0


@pytest.mark.parametrize("size", [(33, 70), (101, 64), (300, 47)])
def test_any_size(size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size)
    image[..., :10, :] = 0.0
    filled = surround_filled(image)
    assert filled.shape == image.shape
    assert 0.0 <= float(filled.min()) <= float(filled.max()) <= 1.0
    assert float(filled[..., :10, :].min()) > 0.1


def test_a_deep_shadow_is_no_surround() -> None:
    image, field = eye()
    image = lines(field)
    image[..., : SIDE // 2] *= 0.06  # below ten grey levels
    deep = -torch.nn.functional.max_pool2d(-field, 2 * RIM + 3, 1, RIM + 1) > 0
    assert torch.equal(surround_filled(image)[deep.expand_as(image)], image[deep.expand_as(image)])


def test_a_black_photograph_stays_black() -> None:
    assert not bool(surround_filled(torch.zeros(1, 3, 64, 64)).any())


def test_each_photograph_has_its_own_surround() -> None:
    bright, dark = eye(level=0.8)[0], eye(level=0.2)[0]
    both = surround_filled(torch.cat([bright, dark]))
    assert torch.allclose(both[:1], surround_filled(bright), atol=1e-6)
    assert torch.allclose(both[1:], surround_filled(dark), atol=1e-6)
