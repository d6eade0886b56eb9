import pytest
import torch
from torch import Tensor
from torch.nn import functional

from magenet.models.information import (
    BLOCK,
    LEAST_NOISE,
    MAPS,
    clipped,
    information_maps,
    noise_level,
)


def gradient(height: int = 96, width: int = 80) -> Tensor:
    """Return a smooth photograph, `(1, 3, H, W)`: light that falls across it, brighter in red."""
    down, right = torch.linspace(0.2, 0.5, height), torch.linspace(0.0, 0.3, width)
    grey = down[:, None] + right
    return torch.stack([1.1 * grey, grey, 0.5 * grey])[None]


@pytest.mark.parametrize("sigma", [0.005, 0.02, 0.06])
@pytest.mark.parametrize("size", [(96, 80), (101, 77)])
def test_the_noise_is_that_which_was_added(sigma: float, size: tuple[int, int]) -> None:
    smooth = gradient(*size)
    found = noise_level(smooth + sigma * torch.randn_like(smooth))
    assert found.shape == (1, 1, *size)
    assert float(found.mean()) == pytest.approx(sigma, rel=0.15)


def test_noise_is_found_where_it_is() -> None:
    image = gradient()
    image[..., :48, :] += 0.05 * torch.randn(1, 3, 48, 80)
    found = noise_level(image)[0, 0]
    assert float(found[: 48 - BLOCK].min()) > 0.02
    assert float(found[48 + BLOCK :].max()) < LEAST_NOISE


def test_a_smooth_photograph_has_nothing_to_tell() -> None:
    maps = information_maps(gradient())
    assert maps.shape == (1, MAPS, 96, 80)
    assert not bool(maps.any())


def test_a_tenfold_noise_is_one_more() -> None:
    """On a scale of logarithms, faint noise and strong noise are told apart alike."""
    noise = torch.randn(1, 3, 96, 96)
    levels = [float(information_maps(0.5 + s * noise)[:, 1].mean()) for s in (0.004, 0.04)]
    assert levels[1] - levels[0] == pytest.approx(1.0, abs=0.02)


def test_a_white_patch_is_clipped_inside_and_not_far_away() -> None:
    image = gradient()
    image[..., 30:60, 20:50] = 1.0
    found = information_maps(image)[0, 0]
    assert bool((found[33:57, 23:47] == 1.0).all())
    away = torch.ones(96, 80, dtype=torch.bool)
    away[26:64, 16:54] = False
    assert not bool(found[away].any())
    assert 0.0 < float(found[29, 35]) < 1.0, "no hard edge"


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_one_colour_that_is_left_still_tells_something(channel: int) -> None:
    image = torch.ones(1, 3, 40, 40)
    image[:, channel] = 0.6
    assert not bool(clipped(image).any())


def test_a_darker_pixel_inside_a_clipped_place_tells_nothing() -> None:
    image = torch.ones(1, 3, 40, 40)
    image[..., 20, 20] = 0.7
    assert bool((clipped(image) == 1.0).all())


def test_the_maps_carry_no_gradient_and_are_fp32_under_autocast() -> None:
    image = (gradient() + 0.02 * torch.randn(1, 3, 96, 80)).requires_grad_()
    plain = information_maps(image)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = information_maps(image)
    assert not plain.requires_grad
    assert mixed.dtype == torch.float32
    assert torch.equal(plain, mixed)


def test_slices_are_what_pooling_and_a_convolution_would_give() -> None:
    """Also at the borders."""
    image = 0.9 + 0.1 * torch.rand(2, 3, 41, 38)
    share = ((image.amin(dim=1, keepdim=True) - 0.94) / 0.04).clamp(0.0, 1.0)
    greatest = functional.max_pool2d(share, 3, 1, 1)
    wanted = functional.avg_pool2d(greatest, 5, 1, 2, count_include_pad=False)
    assert torch.allclose(clipped(image), wanted)
    kernel = torch.tensor([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])
    grey = functional.pad(image.mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    curvature = functional.conv2d(grey, kernel[None, None]).abs()
    found, wanted = noise_level(image)[..., 16, 16], curvature[..., 16:24, 16:24].mean(dim=(2, 3))
    assert torch.allclose(found / found[0], wanted / wanted[0], rtol=1e-4)
