import pytest
import torch
from torch.nn import functional

from data_modules.datasets.phantom import draw_phantom
from magenet.models import Grader


def grader(**kwargs: object) -> Grader:
    torch.manual_seed(0)
    return Grader(**{"classes": 3, "size": 64, "widths": [8, 8, 12], **kwargs})  # type: ignore[arg-type]


def test_the_verdict_is_about_the_retina_and_not_about_the_file() -> None:
    network = grader().eval()
    retina = draw_phantom(0, 64).image[None].float() / 255
    files = [functional.interpolate(retina, (side, side), mode="bicubic") for side in (128, 256)]
    with torch.no_grad():
        one, other = (network.features(file) for file in files)
        soft = network.features(functional.avg_pool2d(files[0], 4))
    assert one.shape == other.shape == soft.shape == (1, 56)
    assert float((one - other).norm()) < 0.02 * float(one.norm())
    assert float((one - soft).norm()) > 3 * float((one - other).norm()), "detail is seen"


@pytest.mark.parametrize("size", [(64, 64), (33, 33), (200, 200)])
def test_any_size_is_graded(size: tuple[int, int]) -> None:
    assert grader()(torch.rand(2, 3, *size)).shape == (2, 3)


def test_every_parameter_gets_a_gradient() -> None:
    network = grader()
    network(torch.rand(2, 3, 64, 64)).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in network.parameters())


def test_the_temperature_softens_and_never_changes_a_verdict() -> None:
    network = grader().eval()
    image = torch.rand(4, 3, 64, 64)
    plain = network.probabilities(image)
    assert torch.allclose(plain, network(image).softmax(dim=1))
    network.temperature.fill_(3.0)
    soft = network.probabilities(image)
    assert torch.equal(soft.argmax(dim=1), plain.argmax(dim=1))
    assert bool((soft.amax(dim=1) < plain.amax(dim=1)).all())
    assert "temperature" in network.state_dict()


def test_the_published_size_is_small() -> None:
    assert sum(p.numel() for p in Grader().parameters()) == pytest.approx(0.74e6, rel=0.01)
