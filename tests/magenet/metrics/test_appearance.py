"""Each statistic says what its name says, and the distance is scipy's."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, minimum_filter
from scipy.stats import ks_2samp
from torch import Tensor
from torch.nn.functional import avg_pool2d

from data_modules.datasets.phantom import draw_phantom
from magenet.degradation.frame import Frame
from magenet.degradation.fundus.blur import Blur
from magenet.metrics import STATISTICS, appearance, two_sample_distance


@pytest.fixture(scope="module")
def pair() -> tuple[Tensor, Tensor]:
    phantoms = [draw_phantom(seed, 256) for seed in range(2)]
    image = torch.stack([p.image for p in phantoms]).float() / 255
    return image, torch.stack([p.field.mask for p in phantoms]).float()


def slow_appearance(image: Tensor, mask: Tensor) -> dict[str, float]:
    pixels, inside = image.double().numpy(), mask[0].numpy() > 0
    red, green, blue = pixels
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    size, (top, left) = len(grey), np.indices(grey.shape)
    y, x = (2 * top + 1 - size) / size, (2 * left + 1 - size) / size
    radius = np.hypot(x, y)

    def level(where: np.ndarray) -> float:
        return float(grey[inside & where].mean())

    def lopsided(axis: np.ndarray) -> float:
        one, other = level(axis < 0), level(axis > 0)
        return abs(one - other) / (one + other)

    result = {
        "brightness": grey[inside].mean(), "contrast": grey[inside].std(),
        "red_green": np.log(red[inside].mean() / green[inside].mean()),
        "blue_green": np.log(blue[inside].mean() / green[inside].mean()),
        "saturation": (np.ptp(pixels, axis=0) / pixels.max(axis=0).clip(min=0.02))[inside].mean(),
        "left_right": lopsided(x), "top_bottom": lopsided(y),
        "rim_centre": level((radius > 0.85) & (radius < 0.98)) - level(radius < 0.6),
    }  # fmt: skip
    inner = minimum_filter(inside, 2 * round(size / 64) + 1, mode="nearest")
    finer = green * inside
    for band, width in enumerate((1, 2, 4, 8), start=1):
        sigma = width * size / 512
        blurred, weight = (
            gaussian_filter(plane, sigma, mode="constant", radius=max(1, round(3 * sigma)))
            for plane in (green * inside, inside.astype(float))
        )
        blurred = blurred / weight.clip(min=1e-3)
        result[f"sharpness_{band}"] = np.log10(np.sqrt(((finer - blurred)[inner] ** 2).mean()))
        finer = blurred
    return result


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("size", [160, 255, 256])
def test_every_statistic_equals_an_independent_implementation(
    pair: tuple[Tensor, Tensor], size: int, whole: bool
) -> None:
    image, mask = (plane[..., :size, :size] for plane in pair)
    mask = torch.ones_like(mask) if whole else mask
    statistics = appearance(image, mask)
    for index in range(2):
        expected = slow_appearance(image[index], mask[index])
        found = {name: float(values[index]) for name, values in statistics.items()}
        assert found == pytest.approx(expected, abs=2e-4)


def test_halving_the_light_halves_brightness_and_leaves_colour(pair: tuple[Tensor, Tensor]) -> None:
    image, mask = pair
    plain, half = appearance(image, mask), appearance(image * 0.5, mask)
    assert tuple(plain) == STATISTICS
    assert torch.allclose(half["brightness"], plain["brightness"] / 2)
    assert torch.allclose(half["contrast"], plain["contrast"] / 2)
    for name in ("red_green", "blue_green", "left_right", "top_bottom", "saturation"):
        assert torch.allclose(half[name], plain[name], atol=1e-4), name
    redder = appearance(image * torch.tensor([1.0, 0.5, 0.5])[:, None, None], mask)
    gained = redder["red_green"] - plain["red_green"]
    assert torch.allclose(gained, torch.full((2,), float(np.log(2))), atol=1e-4)
    assert bool((redder["saturation"] > plain["saturation"]).all())


def test_a_flip_swaps_nothing_and_a_shadow_shows_on_its_side(pair: tuple[Tensor, Tensor]) -> None:
    image, mask = pair
    plain, flipped = appearance(image, mask), appearance(image.flip(3), mask.flip(3))
    for name in STATISTICS:
        assert torch.allclose(plain[name], flipped[name], atol=1e-4), name
    even = torch.full_like(image, 0.6)
    even[..., :128] = 0.2
    assert torch.allclose(appearance(even, mask)["left_right"], torch.tensor(0.5), atol=0.02)
    assert torch.allclose(appearance(even, mask)["top_bottom"], torch.tensor(0.0), atol=0.05)
    assert torch.allclose(appearance(even.mT, mask.mT)["top_bottom"], torch.tensor(0.5), atol=0.02)


def test_blur_takes_the_finest_bands_first(pair: tuple[Tensor, Tensor]) -> None:
    image, mask = pair
    soft = Blur().apply(image * mask, Frame(mask), {"sigma": torch.full((2,), 0.004)})
    before, after = appearance(image, mask), appearance(soft, mask)
    lost = [float((before[n] - after[n]).mean()) for n in STATISTICS if n.startswith("sharpness")]
    assert lost[0] > 0.3
    assert lost == sorted(lost, reverse=True)


def test_the_finest_band_equals_scipys(pair: tuple[Tensor, Tensor]) -> None:
    image, _ = pair
    whole = torch.ones(2, 1, 256, 256)
    green = image[0, 1].double().numpy()
    blurred = gaussian_filter(green, 0.5, mode="constant", truncate=4.1)
    weight = gaussian_filter(np.ones_like(green), 0.5, mode="constant", truncate=4.1)
    inner = (slice(4, -4),) * 2
    wanted = np.log10(np.sqrt(((green - blurred / weight)[inner] ** 2).mean()))
    assert float(appearance(image, whole)["sharpness_1"][0]) == pytest.approx(wanted, abs=0.02)


def test_size_hardly_matters(pair: tuple[Tensor, Tensor]) -> None:
    image, mask = pair
    small = appearance(avg_pool2d(image, 2), (avg_pool2d(mask, 2) == 1).float())
    large = appearance(image, mask)
    for name in STATISTICS:
        if name not in ("sharpness_1", "sharpness_2"):  # pixel noise is averaged away
            assert torch.allclose(small[name], large[name], atol=0.05), name


def test_the_distance_is_kolmogorov_smirnov() -> None:
    torch.manual_seed(0)
    for shift in (0.0, 0.5, 3.0):
        one, other = torch.randn(40), torch.randn(70) + shift
        wanted = ks_2samp(one.numpy(), other.numpy()).statistic
        assert two_sample_distance(one, other) == pytest.approx(wanted, abs=1e-6)
    assert two_sample_distance(one, one) == 0.0
    one, other = torch.randint(0, 4, (30,)).float(), torch.randint(0, 5, (50,)).float()  # ties
    wanted = ks_2samp(one.numpy(), other.numpy()).statistic
    assert two_sample_distance(one, other) == pytest.approx(wanted, abs=1e-6)


def test_it_is_the_same_within_a_trainer_s_half_precision(pair: tuple[Tensor, Tensor]) -> None:
    image, mask = pair
    blurred = avg_pool2d(image, 5, 1, 2)
    expected = appearance(blurred, mask)
    with torch.autocast("cpu", torch.bfloat16):
        found = appearance(blurred, mask)
    for name in STATISTICS:
        assert torch.allclose(found[name], expected[name], atol=1e-3), name
