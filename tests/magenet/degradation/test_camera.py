import pytest
import torch
from torch import Tensor

from data_modules.datasets.phantom import draw_phantom
from magenet.degradation import CounterRNG
from magenet.degradation.camera import CROSSTALK, KNEE, Camera
from magenet.degradation.factor import Values
from magenet.degradation.frame import Frame

CAMERA = Camera()


def eyes(count: int, size: int = 96) -> tuple[Tensor, Tensor]:
    """Return different phantoms, with something bright outside of the field, and their fields."""
    phantoms = [draw_phantom(seed, size) for seed in range(count)]
    mask = torch.stack([phantom.field.mask for phantom in phantoms]).float()
    image = torch.stack([phantom.image for phantom in phantoms]).float() / 255
    return torch.where(mask > 0, image, 0.5), mask


def drawn(keys: list[int], severity: float = 1.0) -> Values:
    return CAMERA.draw(CounterRNG(torch.tensor(keys), 3), torch.full((len(keys),), severity))


def taken(image: Tensor, mask: Tensor, values: Values) -> Tensor:
    return CAMERA.apply(image.clone(), Frame(mask), values)


def test_at_severity_0_it_is_the_same_camera() -> None:
    image, mask = eyes(2)
    image = 0.8 * image  # all of it below the shoulder
    assert float((image * mask).square().max()) < KNEE
    result = taken(image, mask, drawn([1, 2], 0.0))
    assert torch.allclose(result, image * mask, atol=2e-4)


def test_bright_places_keep_their_order_and_do_not_clip() -> None:
    """Above the knee light approaches 1 and never reaches it, however bright the photograph."""
    ramp = torch.linspace(0.0, 1.0, 64).expand(1, 3, 64, 64)
    mask = torch.ones(1, 1, 64, 64)
    for gain in (1.0, 2.0):
        values = drawn([1], 0.0)
        values |= {name: torch.tensor([gain]) for name in ("red", "green", "blue")}
        row = taken(ramp, mask, values)[0, 0, 32]
        assert bool((row.diff() > 0).all())
        assert float(row.max()) < 0.999
        below = gain * ramp[0, 0, 0].square() <= KNEE
        wanted = (gain**0.5 * ramp[0, 0, 0])[below]
        assert torch.allclose(row[below], wanted, atol=2e-4), "unchanged up to the knee"


def test_it_is_black_outside_the_field_and_in_range_inside() -> None:
    image, mask = eyes(8)
    result = taken(image, mask, drawn(list(range(8))))
    assert not bool((result * (1 - mask)).any())
    assert float(result.min()) >= 0.0
    assert float(result.max()) < 1.0
    white = taken(torch.ones_like(image), mask, drawn(list(range(8))))
    assert float(white.max()) <= 1.0


def test_a_key_gives_its_pixels_in_any_batch() -> None:
    image, mask = eyes(3)
    together = taken(image, mask, drawn([5, 6, 7]))
    alone = taken(image[1:2], mask[1:2], drawn([6]))
    assert torch.allclose(together[1:2], alone, atol=1e-6)


def test_two_keys_are_two_cameras() -> None:
    image, mask = (part.expand(6, -1, -1, -1) for part in eyes(1))
    result = taken(image, mask, drawn(list(range(6))))
    colours = result.sum(dim=(2, 3)) / mask.sum(dim=(2, 3))  # (B, 3)
    ratios = colours[:, :2] / colours[:, 1:]
    apart = torch.cdist(ratios, ratios) + torch.eye(6)
    assert float(apart.min()) > 0.01


def test_what_is_drawn_is_what_the_class_says() -> None:
    """Also within what a record may hold, so that each camera can be written down and replayed."""
    values = drawn(list(range(2000)))
    assert set(values) == set(CAMERA.parameters)
    for name, parameter in CAMERA.parameters.items():
        assert float(values[name].min()) >= parameter.low
        assert float(values[name].max()) <= parameter.high
    gains = torch.stack([values[name] for name in ("red", "green", "blue")])
    assert 1.8 < float((gains.amax(dim=0) / gains.amin(dim=0)).max()) <= 2.1
    assert float(values["exponent"].min()) == pytest.approx(0.7, abs=0.01)
    assert float(values["exponent"].max()) == pytest.approx(1.4, abs=0.01)
    assert abs(float(gains.log().mean())) < 0.02, "as bright as before on average"


def test_grey_stays_grey_when_colours_only_mix() -> None:
    mask = torch.ones(1, 1, 64, 64)
    shares = torch.tensor([0.15, 0.05, -0.05, 0.1, -0.1, 0.02])
    values = drawn([1], 0.0) | dict(zip(CROSSTALK, shares[:, None], strict=True))
    grey = torch.full((1, 3, 64, 64), 0.6)
    assert torch.allclose(taken(grey, mask, values), grey, atol=2e-4)
    red = grey * torch.tensor([1.0, 0.5, 0.5])[:, None, None]
    light = taken(red, mask, values)[0, :, 32, 32].square()
    weights = torch.tensor([[0.8, 0.2], [-0.05, 1.05], [-0.1, 1.1]])  # of red and of the others
    wanted = weights @ torch.tensor([0.36, 0.09])
    assert torch.allclose(light, wanted, atol=2e-4)


def test_the_vignette_takes_light_at_the_edge() -> None:
    mask = torch.ones(1, 1, 128, 128)
    values = drawn([1], 0.0) | {"vignette": torch.tensor([0.3])}
    light = taken(torch.full((1, 3, 128, 128), 0.5), mask, values)[0, 0].square() / 0.25
    assert float(light[64, 64]) == pytest.approx(1.0, abs=0.01)
    assert float(light[64, 0]) == pytest.approx(0.7, abs=0.02)
    assert float(light[64, 96]) == pytest.approx(1 - 0.3 / 4, abs=0.02)
