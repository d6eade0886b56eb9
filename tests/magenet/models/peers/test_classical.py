import math
from itertools import product

import pytest
import torch
from kornia.filters import unsharp_mask
from torch import Tensor
from torch.nn import functional

from data_modules.datasets.phantom import Phantom, draw_phantom
from magenet.models import Enhancer
from magenet.models.peers import (
    CLAHE,
    DPFR,
    MUTE,
    BenGraham,
    DarkChannelPrior,
    GlobalLocalContrast,
    Identity,
    Setiawan,
    UnsharpMask,
)
from magenet.models.peers.classical import blurred, foreground
from magenet.models.peers.dark_channel import atmospheric_light, dark_channel

KINDS = [
    Identity,
    CLAHE,
    Setiawan,
    BenGraham,
    UnsharpMask,
    DarkChannelPrior,
    GlobalLocalContrast,
    DPFR,
    MUTE,
]
SIDE = 128


@pytest.fixture(scope="module")
def retina() -> Phantom:
    return draw_phantom(5, SIDE)


@pytest.fixture(scope="module")
def image(retina: Phantom) -> Tensor:
    return retina.image[None].float() / 255.0


@pytest.fixture(scope="module")
def field(retina: Phantom) -> Tensor:
    return retina.field.mask[None]


@pytest.fixture(scope="module")
def inner(field: Tensor) -> Tensor:
    """The field without its rim."""
    return -functional.max_pool2d(-field.float(), 17, 1, 8) > 0.5


def detail(image: Tensor, field: Tensor) -> float:
    """Return how far pixels lie from their neighbourhood's mean, in the green channel."""
    green = image[:, 1:2]
    return float((green - blurred(green, field, 3.0))[field].std())


def test_the_field_is_where_a_photograph_is_lit(image: Tensor, field: Tensor) -> None:
    assert torch.equal(foreground(image), field)
    specked = image.clone()
    specked[..., SIDE // 2, SIDE // 2 : SIDE // 2 + 2] = 0.0
    specked[..., :2, :2] += 3 / 255
    assert torch.equal(foreground(specked), field), "a dark speck belongs, a noisy corner does not"
    assert foreground(torch.ones(1, 3, 40, 50)).all(), "cropped earlier: no surround at all"
    assert not foreground(torch.zeros(1, 3, 40, 50)).any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_surround_stays_as_it_is(kind: type[Enhancer], image: Tensor, field: Tensor) -> None:
    assert not kind()(image).image[~field.expand(-1, 3, -1, -1)].any()
    noisy = torch.where(field, image, torch.rand_like(image) * 0.03)
    after = kind()(noisy).image
    assert torch.equal(after[~field.expand(-1, 3, -1, -1)], noisy[~field.expand(-1, 3, -1, -1)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_black_photograph_stays_black(kind: type[Enhancer]) -> None:
    assert not kind()(torch.zeros(2, 3, 40, 50)).image.any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_surround_leaves_no_rim(kind: type[Enhancer], field: Tensor) -> None:
    even = torch.tensor([0.5, 0.3, 0.2]).view(1, 3, 1, 1) * field
    after = kind()(even).image[0, :, field[0, 0]]
    assert float((after.amax(dim=1) - after.amin(dim=1)).max()) < 3 / 255


@pytest.mark.parametrize("kind", KINDS)
def test_autocast_changes_nothing(kind: type[Enhancer], image: Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        after = kind()(image).image
    assert torch.equal(after, kind()(image).image)


@pytest.mark.parametrize("kind", [CLAHE, Setiawan, GlobalLocalContrast, UnsharpMask, BenGraham])
def test_local_contrast_rises(
    kind: type[Enhancer], image: Tensor, field: Tensor, inner: Tensor
) -> None:
    faint = torch.where(field, 0.3 + 0.3 * image, 0.0)
    assert detail(kind()(faint).image, inner) > 1.2 * detail(faint, inner)


def test_setiawan_leaves_red_and_blue_alone(image: Tensor) -> None:
    after = Setiawan()(image).image
    assert torch.equal(after[:, ::2], image[:, ::2])
    assert not torch.equal(after[:, 1], image[:, 1])


def test_colour_is_kept_by_its_ratio(image: Tensor, field: Tensor) -> None:
    after = GlobalLocalContrast()(image).image
    inside = field[0, 0]
    before = functional.normalize(image[0, :, inside], dim=0)
    assert torch.allclose(functional.normalize(after[0, :, inside], dim=0), before, atol=1e-4)


def test_unsharp_is_kornias_away_from_the_rim(image: Tensor, inner: Tensor) -> None:
    after = UnsharpMask(sigma=1.5 / SIDE)(image).stages[-1]
    expected = unsharp_mask(image, (11, 11), (1.5, 1.5)).clamp(0.0, 1.0)
    inside = inner.expand_as(image)
    assert torch.allclose(after[inside], expected[inside], atol=1e-3)


def test_ben_graham_evens_out_the_light(image: Tensor, field: Tensor) -> None:
    ramp = torch.linspace(0.4, 1.0, SIDE)
    after = BenGraham()(image * ramp).image
    halves = [
        float(half[:, 1:2][part].mean())
        for picture in (image * ramp, after)
        for half, part in zip(picture.chunk(2, dim=3), field.chunk(2, dim=3), strict=True)
    ]
    dark, bright, left, right = halves
    assert bright - dark > 0.05
    assert abs(right - left) < 0.02
    assert left == pytest.approx(0.5, abs=0.03)


def test_ben_graham_equals_a_slow_reference() -> None:
    picture = draw_phantom(2, 24).image[None].float() / 255.0
    field = foreground(picture)[0, 0]
    after = BenGraham(gain=4.0, fineness=8.0)(picture).stages[-1]
    sigma, reach = 12.0 / 8.0, 4  # radius over fineness; three sigma, rounded
    expected = torch.zeros_like(picture)
    for y, x in product(range(24), range(24)):
        if not field[y, x]:
            continue
        total, weights = torch.zeros(3), 0.0
        for v in range(max(0, y - reach), min(24, y + reach + 1)):
            for u in range(max(0, x - reach), min(24, x + reach + 1)):
                if field[v, u]:
                    weight = 2.718281828 ** (-((v - y) ** 2 + (u - x) ** 2) / (2 * sigma**2))
                    total += weight * picture[0, :, v, u]
                    weights += weight
        expected[0, :, y, x] = 4.0 * picture[0, :, y, x] - 4.0 * total / weights + 0.5
    expected = torch.where(field, expected.clamp(0.0, 1.0), 0.0)
    assert torch.allclose(after, expected, atol=1e-3)


def hazed(image: Tensor, field: Tensor) -> Tensor:
    """A veil that thickens from left to right."""
    transmission = torch.linspace(0.9, 0.3, SIDE)
    light = torch.tensor([0.8, 0.75, 0.7]).view(1, 3, 1, 1)
    return torch.where(field, image * transmission + light * (1.0 - transmission), 0.0)


def slow_dark_channel(image: Tensor, field: Tensor, patch: int) -> Tensor:
    height, width = image.shape[-2:]
    reach = patch // 2
    dark = torch.zeros(height, width)
    for y, x in product(range(height), range(width)):
        least = float("inf")
        for v in range(max(0, y - reach), min(height, y + reach + 1)):
            for u in range(max(0, x - reach), min(width, x + reach + 1)):
                if field[v, u]:
                    least = min(least, *image[:, v, u].tolist())
        dark[y, x] = least
    return dark


def test_dark_channel_and_transmission_equal_a_slow_reference() -> None:
    picture = draw_phantom(2, 32).image[:, 2:, :].float() / 255.0
    network = DarkChannelPrior(patch=5 / 32)
    assert network.side(picture) == 5
    field = foreground(picture[None])
    inside = field[0, 0]
    dark = dark_channel(picture[None], field, 5)
    expected = slow_dark_channel(picture, inside, 5)
    assert torch.equal(dark[0, 0][inside], expected[inside])

    light = atmospheric_light(picture[None], field, dark, 0.02)
    count = -(-int(inside.sum()) * 2 // 100)
    ranked = sorted(
        (p for p in product(range(30), range(32)) if inside[p]), key=lambda p: -float(expected[p])
    )
    chosen = [p for p in ranked if expected[p] >= expected[ranked[count - 1]]]
    brightest = max(chosen, key=lambda p: float(picture[:, p[0], p[1]].sum()))
    assert torch.equal(light[0, :, 0, 0], picture[:, brightest[0], brightest[1]])

    transmission = network.transmission(picture[None], field, light)[0, 0]
    slow = 1.0 - 0.95 * slow_dark_channel(picture / light[0], inside, 5)
    assert torch.allclose(transmission[inside], slow[inside], atol=1e-6)


def unevenly_lit(image: Tensor, field: Tensor) -> Tensor:
    slope = torch.linspace(0.4, 1.0, SIDE)
    return image * slope * field


@pytest.mark.parametrize("kind", [DPFR, MUTE])
def test_the_double_pass_model_evens_light_and_removes_haze(
    kind: type[Enhancer], image: Tensor, field: Tensor, inner: Tensor
) -> None:
    def tilt(picture: Tensor) -> float:
        left, right = inner.clone(), inner.clone()
        left[..., SIDE // 2 :] = False
        right[..., : SIDE // 2] = False
        sides = [float(picture.mean(dim=1, keepdim=True)[side].mean()) for side in (left, right)]
        return abs(math.log(sides[1] / sides[0]))

    dim = unevenly_lit(image, field)
    assert tilt(kind()(dim).image) < 0.7 * tilt(dim)
    veiled = hazed(image, field)
    assert detail(kind()(veiled).image, inner) > 1.3 * detail(veiled, inner)


def test_patches_grow_with_the_photograph() -> None:
    sides = [DarkChannelPrior().side(torch.empty(1, 3, side, side)) for side in (32, 200, 600)]
    assert sides == [3, 5, 15]


def test_haze_is_removed(image: Tensor, field: Tensor) -> None:
    veiled = hazed(image, field)
    after = DarkChannelPrior()(veiled).image
    inside = field.expand_as(image)
    assert float(after[inside].std()) > 1.2 * float(veiled[inside].std())
    thick = field.clone()
    thick[..., : SIDE // 2] = False
    assert detail(after, thick) > 1.5 * detail(veiled, thick)
    assert float((after - image)[inside].abs().mean()) < float(
        (veiled - image)[inside].abs().mean()
    )
