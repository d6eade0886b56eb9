import math
from typing import Any

import pytest
import torch
from torch import Tensor

from magenet.models.pyramid import (
    HALF_BAND,
    STRIP,
    above_noise,
    band_contrast,
    bands,
    collapsed,
    enlarged,
    reduced,
)


@pytest.mark.parametrize("size", [(64, 64), (51, 80)])
def test_the_pyramid_adds_up_to_the_image_again(size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size)
    *fine, rest = bands(image, 4)
    assert len(fine) == 4
    assert rest.shape == (2, 3, *(-(-side // 16) for side in size))
    assert torch.allclose(collapsed([*fine, rest]), image, atol=1e-6)


def test_each_band_holds_details_of_its_own_width() -> None:
    """Periods of 3, 6, 12 and 24 px are in the bands 0, 1, 2 and 3, and nearly nowhere else."""
    place = torch.arange(128.0) + 0.5
    for level, length in enumerate((3, 6, 12, 24)):
        wave = (2 * math.pi * place / length).sin().expand(1, 1, 128, 128)
        sizes = [float(band.abs().mean()) for band in bands(wave, 4)]
        assert sizes.index(max(sizes)) == level, sizes
        assert max(sizes) > 2.5 * sorted(sizes)[-2], sizes


def test_reducing_keeps_light() -> None:
    assert torch.allclose(reduced(torch.full((1, 3, 17, 20), 0.3)), torch.tensor(0.3))


def test_a_slope_of_light_is_no_detail() -> None:
    slope = torch.linspace(0.2, 0.8, 256).expand(1, 1, 256, 256)
    for axis in (slope, slope.mT):
        for level, band in enumerate(bands(axis, 4)[:-1]):
            rim = 64 // 2**level  # light ends there
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
    for level, length in enumerate((3, 6, 12, 24)):
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
    wave = above_noise(band_contrast(noise + waves(12, 0.01, 512, 512), 4))[0, :, 16, 16]
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


@pytest.mark.parametrize("size", [(32, 48), (33, 17), (2 * STRIP + 6, 20)])
def test_reducing_and_enlarging_equal_a_slow_reference(size: tuple[int, int]) -> None:
    """Convolution and its transpose, row by row, the border repeated."""
    taps = torch.tensor(HALF_BAND) / sum(HALF_BAND)
    image = torch.rand(1, 1, *size)

    def halved(row: Tensor) -> Tensor:
        count = len(row)
        places = [
            [min(max(2 * i - 3 + k, 0), count - 1) for k in range(8)] for i in range(-(-count // 2))
        ]
        return torch.stack([(row[place] * taps).sum() for place in places])

    def doubled(row: Tensor, count: int) -> Tensor:
        found = torch.zeros(count)
        for i in range(count):
            for j in range(-2, len(row) + 2):
                if 0 <= (k := i - 2 * j + 3) < 8:
                    found[i] += 2 * taps[k] * row[min(max(j, 0), len(row) - 1)]
        return found

    def along_both(picture: Tensor, function: Any) -> Tensor:
        rows = torch.stack([function(row, 1) for row in picture])
        return torch.stack([function(column, 0) for column in rows.T]).T

    coarse = along_both(image[0, 0], lambda row, axis: halved(row))
    assert torch.allclose(reduced(image)[0, 0], coarse, atol=1e-6)
    fine = along_both(coarse, lambda row, axis: doubled(row, size[axis]))
    assert torch.allclose(enlarged(coarse[None, None], size)[0, 0], fine, atol=1e-6)


def test_a_blur_takes_from_a_band_what_it_takes_from_its_periods() -> None:
    """So a gain of the band gives it back: the reason for a steep filter."""
    frequency = torch.fft.fftfreq(512)[:, None].square() + torch.fft.rfftfreq(512)[None].square()
    natural = torch.fft.rfft2(torch.randn(512, 512)) / frequency.clamp(min=1e-5).sqrt()
    transfer = torch.exp(-2 * (math.pi * 4.0) ** 2 * frequency)
    sharp, blurred = (
        torch.fft.irfft2(picture, s=(512, 512))[None, None]
        for picture in (natural, natural * transfer)
    )
    inside = (frequency >= (1 / 16) ** 2) & (frequency < (1 / 8) ** 2)
    spectra = (natural * inside, natural * transfer * inside)
    power = [float(spectrum.abs().square().sum()) for spectrum in spectra]
    kept = [float(bands(picture, 3)[2].std()) for picture in (sharp, blurred)]
    assert kept[1] / kept[0] < 2.0 * math.sqrt(power[1] / power[0])


def test_a_training_may_follow_an_inference_of_the_same_size() -> None:
    image = torch.rand(1, 1, 74, 74)
    with torch.inference_mode():
        bands(image, 2)
    image.requires_grad_(True)
    bands(image, 2)[1].sum().backward()  # type: ignore[no-untyped-call]
    assert image.grad is not None
