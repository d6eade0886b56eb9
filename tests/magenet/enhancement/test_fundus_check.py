import pytest
import torch
from torch import Tensor

from data_modules.datasets.phantom import draw_phantom
from experiments.studies.fundus_check.__main__ import other_rows
from experiments.studies.fundus_check.other_pictures import KINDS, other_pictures
from experiments.studies.fundus_check.transformations import TRANSFORMATIONS, statistics_of
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.fundus_check import FundusCheck, colour_spread
from magenet.imaging.field_of_view import estimate_field


def test_light_does_not_spread_colours_and_other_things_do() -> None:
    mask = torch.ones(2, 1, 64, 64)
    mask[..., :16] = 0.0
    light = torch.linspace(0.3, 1.0, 64).expand(64, 64)
    orange = torch.tensor([0.9, 0.5, 0.2])[:, None, None] * light
    grass = orange.clone()
    grass[:, 32:] = orange[:, 32:].flip(0)
    spread = colour_spread(torch.stack([orange, grass]) * mask, mask)
    assert float(spread[0].max()) < 0.02
    assert float(spread[1].min()) > 0.3
    noise = orange.clone()
    noise[0, :, ::2] *= 1.2
    noise[0, :, 1::2] *= 0.8
    assert float(colour_spread(noise[None] * mask[:1], mask[:1]).max()) < 0.02, (
        "of cells, not pixels"
    )


def cloud(centre: float, seed: int) -> Tensor:
    """Return statistics of a group, `(200, 3)`."""
    generator = torch.Generator().manual_seed(seed)
    return centre + torch.randn(200, 3, generator=generator, dtype=torch.float64)


def test_the_nearest_group_decides() -> None:
    check = FundusCheck.fit([cloud(0.0, 0), cloud(20.0, 1)], 4.0)
    distance = check.distance_of(
        torch.tensor([[0.0] * 3, [20.0] * 3, [10.0] * 3], dtype=torch.float64)
    )
    assert (distance > 4.0).tolist() == [False, False, True]


def test_settings_of_one_group_without_a_dimension_for_groups_are_read() -> None:
    grouped = FundusCheck.fit([cloud(0.0, 0)], 4.0)
    older = FundusCheck(grouped.mean[0], grouped.precision[0], 4.0)  # type: ignore[arg-type]
    statistics = cloud(2.0, 2)
    assert torch.equal(older.distance_of(statistics), grouped.distance_of(statistics))


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_a_transformed_retina_is_not_refused(name: str) -> None:
    """A drawn one: photographs are in `experiments/results/fundus_check.md`."""
    image = draw_phantom(3, 512).image
    changed = TRANSFORMATIONS[name](image, estimate_field(image))
    check = FundusCheck.released()
    assert float(check.distance_of(statistics_of(changed))) <= check.limit


@pytest.mark.slow
def test_no_other_picture_is_called_ok() -> None:
    enhancer = PhotographEnhancer.from_pretrained("mage_net", torch.device("cpu"), 16 << 30)
    outcomes = {name: outcome for name, _, _, outcome in other_rows(enhancer, other_pictures(1))}
    assert [name for name, outcome in outcomes.items() if outcome == "ok"] == []
    assert {"refused", "flagged"} == set(outcomes.values())


@pytest.mark.slow
def test_most_other_pictures_are_refused() -> None:
    check = FundusCheck.released()
    distances = [float(check.distance_of(statistics_of(p))) for _, p in other_pictures(1)]
    assert len(distances) == 2 * len(KINDS)
    assert sum(distance > check.limit for distance in distances) > 0.6 * len(distances)
