import math

import pytest
import torch
from torch import Tensor

from magenet.models.pyramid import above_noise, band_contrast, bands, collapsed, reduced


@pytest.mark.parametrize("size", [(64, 64), (51, 80)])
def test_the_pyramid_adds_up_to_the_image_again(size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size)
    *fine, rest = bands(image, 4)
    assert len(fine) == 4
    assert rest.shape == (2, 3, *(-(-side // 16) for side in size))
    assert torch.allclose(collapsed([*fine, rest]), image, atol=1e-6)


def test_each_band_holds_details_of_its_own_width() -> None:
    """Light and dark lines of 2, 4, 8 and 16 px are strongest in the bands 0, 1, 2 and 3."""
    place = torch.arange(128.0) + 0.5
    for level, length in enumerate((4, 8, 16, 32)):
        wave = (2 * math.pi * place / length).sin().expand(1, 1, 128, 128)
        sizes = [float(band.abs().mean()) for band in bands(wave, 4)]
        assert sizes.index(max(sizes)) == level, sizes


def test_reducing_keeps_light() -> None:
    assert torch.allclose(reduced(torch.full((1, 3, 17, 20), 0.3)), torch.tensor(0.3))


def test_a_slope_of_light_is_no_detail() -> None:
    slope = torch.linspace(0.2, 0.8, 256).expand(1, 1, 256, 256)
    for axis in (slope, slope.mT):
        for level, band in enumerate(bands(axis, 4)[:-1]):
            rim = 32 // 2**level  # light ends there
            assert float(band[..., rim:-rim, rim:-rim].abs().max()) < 1e-5


def test_bands_are_fp32_under_autocast() -> None:
    """In bf16 the step between two values of 0.5 is a grey level, more than most details."""
    image = torch.rand(1, 3, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = bands(image, 3)
    for band, wanted in zip(mixed, bands(image, 3), strict=True):
        assert torch.equal(band, wanted)


def waves(length: float, depth: float, height: int = 160, width: int = 160) -> Tensor:
    """Return a grey photograph with green waves of a length and depth."""
    image = torch.full((1, 3, height, width), 0.4)
    place = torch.arange(float(width)) + 0.5
    image[:, 1] += depth * (2 * math.pi * place / length).sin()
    return image


def test_contrast_is_measured_in_the_band_that_holds_it() -> None:
    for level, length in enumerate((4, 8, 16, 32)):
        found = band_contrast(waves(length, 0.02), 4)[0, :, 5, 5]
        assert int(found.argmax()) == level
        twice = band_contrast(waves(length, 0.04), 4)[0, :, 5, 5]
        assert torch.allclose(twice, 2 * found, rtol=1e-3, atol=1e-6)
    assert float(band_contrast(waves(8, 0.0), 4).max()) < 1e-6


def test_noise_is_not_above_noise_and_a_wave_in_it_is() -> None:
    noise = 0.02 * torch.randn(1, 3, 512, 512)
    share = above_noise(band_contrast(0.4 + noise, 4))[..., 4:-4, 4:-4].mean(dim=(0, 2, 3))
    assert float(share[0]) == 1.0
    assert bool((share[1:] < 0.12).all()), share
    wave = above_noise(band_contrast(noise + waves(16, 0.01, 512, 512), 4))[0, :, 16, 16]
    assert float(wave[2]) > 0.7
    assert float(above_noise(band_contrast(waves(16, 0.0), 4))[:, 1:].max()) <= 1.0


def test_contrast_is_local() -> None:
    image = waves(8, 0.02)
    image[..., 80:] = 0.4
    found = band_contrast(image, 4)[0, 1, 5]
    assert float(found[0]) > 0.005
    assert float(found[-1]) < 1e-5


@pytest.mark.parametrize("size", [(160, 160), (150, 171), (33, 40)])
def test_a_contrast_map_covers_the_photograph(size: tuple[int, int]) -> None:
    found = band_contrast(torch.rand(2, 3, *size), 4)
    assert found.shape == (2, 4, *(-(-side // 16) for side in size))
    assert bool((found > 0).all())
