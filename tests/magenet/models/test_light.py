import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from magenet.models import MAGENet
from magenet.models.attention import corrected
from magenet.models.light import COLOUR_SPREAD, colour_kept
from tests.magenet.models.test_detail import SMALL

RETINA = (0.5, 0.3, 0.15)


def retina() -> Tensor:
    """Return a photograph `(1, 3, 64, 64)` of one colour, black at its left and right."""
    image = torch.tensor(RETINA).view(1, 3, 1, 1).expand(1, 3, 64, 64).clone()
    image[..., :8] = image[..., -8:] = 0.0
    return image


def low_pass_inside(gains: Tensor | list[float], offset: float = 0.0) -> Tensor:
    """Return light `(1, 6, 8, 8)`: a gain of each colour, and an offset of all."""
    gain = torch.as_tensor(gains).view(1, 3, 1, 1).expand(1, 3, 8, 8) - 1.0
    return torch.cat([gain, torch.full((1, 3, 8, 8), offset)], dim=1)


def mean_colour(image: Tensor) -> Tensor:
    """Return the logarithms of the means of red, green, blue, less their mean, `(3,)`."""
    logarithm = image[..., 8:-8].mean(dim=(0, 2, 3)).log()
    return logarithm - logarithm.mean()


def applied(light: Tensor, image: Tensor) -> Tensor:
    """Return the photograph with its light, black where it was."""
    whole = functional.interpolate(light, image.shape[-2:], mode="nearest")
    return corrected(image, whole) * (image > 0)


@pytest.mark.parametrize("offset", [0.0, 0.05])
def test_a_small_change_of_the_mean_colour_is_undone_and_brightness_stays(offset: float) -> None:
    image, light = retina(), low_pass_inside([1.25, 1.2, 1.1], offset)
    told, kept = applied(light, image), applied(colour_kept(light, image), image)
    change = mean_colour(told) - mean_colour(image)
    assert 0.03 < float(change.norm()) < COLOUR_SPREAD
    assert torch.allclose(mean_colour(kept), mean_colour(image), atol=5e-3)
    assert float(kept.mean()) == pytest.approx(float(told.mean()), rel=1e-3)


def test_a_large_change_of_the_mean_colour_stays_less_what_cameras_differ_by() -> None:
    image, light = retina(), low_pass_inside([0.6, 1.0, 1.5])
    told, kept = applied(light, image), applied(colour_kept(light, image), image)
    wanted, given = (mean_colour(one) - mean_colour(image) for one in (told, kept))
    assert float(given.norm()) == pytest.approx(float(wanted.norm()) - COLOUR_SPREAD, abs=2e-3)
    assert float(functional.cosine_similarity(given, wanted, dim=0)) > 0.999


def test_colours_that_differ_inside_a_photograph_are_corrected_wholly() -> None:
    """A yellow veil over the upper half, of which the mean is half: not the camera's."""
    veil, image = torch.tensor([1.1, 1.05, 0.7]).view(1, 3, 1, 1), retina()
    image[..., :32, :] *= veil
    light = torch.zeros(1, 6, 8, 8)
    light[:, :3, :4] = 1 / veil - 1.0
    kept = applied(colour_kept(light, image), image)
    upper, lower = (mean_colour(half) for half in (kept[..., :32, :], kept[..., 32:, :]))
    assert torch.allclose(upper, lower, atol=1e-3)


def test_grey_brightening_and_a_black_photograph_pass() -> None:
    image = torch.full((1, 3, 64, 64), 0.3)
    light = low_pass_inside([1.3, 1.3, 1.3])
    assert torch.allclose(colour_kept(light, image), light, atol=1e-4)
    assert torch.allclose(colour_kept(light, torch.zeros_like(image)), light, atol=1e-4)


def test_photographs_of_one_batch_do_not_see_each_other() -> None:
    images = torch.cat([retina(), retina().flip(1)])
    lights = torch.cat([low_pass_inside([1.3, 1.0, 0.8]), low_pass_inside([0.5, 1.0, 1.6])])
    each = torch.cat([colour_kept(lights[i : i + 1], images[i : i + 1]) for i in (0, 1)])
    assert torch.allclose(colour_kept(lights, images), each, atol=1e-5)


def test_a_network_in_use_keeps_the_mean_colour_and_one_in_training_does_not() -> None:
    network, image = MAGENet(**SMALL), retina()
    assert network.detail is not None
    network.correct[-1].head.bias = nn.Parameter(torch.tensor([0.1, 0.0, -0.1, 0.0, 0.0, 0.0]))
    network.detail.error.bias = nn.Parameter(torch.tensor([0.1, 1e-3]).log())  # sure of itself
    with torch.no_grad():
        shift = [
            float((mean_colour(network.train(mode)(image).image) - mean_colour(image)).norm())
            for mode in (True, False)
        ]
    assert shift[0] > 0.1
    assert shift[1] < 0.01
