import pytest
import torch

from magenet.models.grain import QUIET, grain_contrast
from magenet.models.pyramid import band_contrast

SIDE = 320


def test_grain_is_the_contrast_of_the_quietest_places() -> None:
    torch.manual_seed(0)
    image = torch.full((1, 3, SIDE, SIDE), 0.5)
    image[..., 96:] += 0.05 * torch.randn(1, 3, SIDE, SIDE - 96)
    image[..., :96] += 0.01 * torch.randn(1, 3, SIDE, 96)
    contrast = band_contrast(image, 4)
    quiet = contrast[..., 8:12, 1:2].mean(dim=(2, 3))
    found = grain_contrast(contrast, image)
    assert found.shape == (1, 4, 1, 1)
    assert torch.allclose(found.flatten(1), quiet, rtol=0.35)
    assert bool((found < 0.4 * contrast[..., 8:12, 14:18].mean(dim=(2, 3), keepdim=True)).all())


def test_neither_the_surround_nor_the_dark_counts_as_quiet() -> None:
    torch.manual_seed(0)
    image = 0.5 + 0.05 * torch.randn(1, 3, SIDE, SIDE)
    wanted = grain_contrast(band_contrast(image, 3), image)
    dark = image.clone()
    dark[..., :160] = 0.02
    found = grain_contrast(band_contrast(image, 3), dark)
    assert torch.allclose(found, wanted, rtol=0.2)


def test_each_photograph_has_its_own() -> None:
    values = torch.arange(1.0, 101.0).view(1, 1, 10, 10)
    contrast, image = torch.cat([values, 3 * values]), torch.full((2, 3, 160, 160), 0.5)
    assert grain_contrast(contrast, image).flatten().tolist() == [
        1 + int(QUIET * 100), 3 * (1 + int(QUIET * 100)),
    ]  # fmt: skip


def test_in_a_black_photograph_all_is_grain() -> None:
    image = torch.zeros(1, 3, 64, 64)
    assert float(grain_contrast(band_contrast(image, 2), image).min()) == float("inf")


@pytest.mark.parametrize("size", [(33, 70), (101, 64)])
def test_any_size(size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size)
    assert bool(grain_contrast(band_contrast(image, 3), image).isfinite().all())
