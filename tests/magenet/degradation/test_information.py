import torch
from torch import Tensor
from torch.nn import functional

from data_modules.datasets.phantom import draw_phantom
from magenet.degradation import CounterRNG, DegradationMixture, FundusDegradation, Parameters
from magenet.degradation.factor import Record
from magenet.degradation.information import SIDE, information

FUNDUS = FundusDegradation()
BRIGHT = (90, 200)
"""Row and column of the brightest place."""


def eyes(count: int, size: int = 128) -> tuple[Tensor, Tensor]:
    phantoms = [draw_phantom(seed, size) for seed in range(count)]
    mask = torch.stack([phantom.field.mask for phantom in phantoms]).float()
    image = torch.stack([phantom.image for phantom in phantoms]).float() / 255
    return image * mask, mask


def degraded(record: Record) -> Tensor:
    """Return what an even photograph with one brighter place keeps, `(SIDE, SIDE)`."""
    axis = torch.arange(SIDE)
    squared = (axis[:, None] - BRIGHT[0]).square() + (axis - BRIGHT[1]).square()
    image = (0.5 + 0.2 * torch.exp(-squared / 800)).expand(1, 3, -1, -1)
    mask = torch.ones(1, 1, SIDE, SIDE)
    return information(FUNDUS, image, mask, Parameters.from_records([record], FUNDUS.factors))[0, 0]


def noise(shot: float, read: float) -> Record:
    return {"noise": {"shot": shot, "read": read, "seed": 1}}


def shadow(depth: float) -> Record:
    """Return a shadow in the middle, a quarter of the field wide."""
    place = {"x": [0.0], "y": [0.0], "length": [0.15], "width": [0.15], "angle": [0.0]}
    return {"shadow": {**place, "flatness": [3.0], "depth": [depth]}}


def defocus(radius: float) -> Record:
    return {"defocus": {"radius": radius}}


def burnout(gain: float) -> Record:
    return {"burnout": {"gain": gain, "x": 0.0, "y": 0.0, "radius": 0.1, "paleness": 0.8}}


def test_without_degradation_everything_is_known() -> None:
    image, mask = eyes(2)
    known = information(FUNDUS, image, mask, Parameters(2, {}))
    assert known.shape == (2, 1, SIDE, SIDE)
    small = functional.interpolate(mask, (SIDE, SIDE), mode="nearest")
    deep = -functional.max_pool2d(-small, 9, 1, 4)
    assert float(known[deep > 0].min()) > 0.98
    assert not bool(known[small == 0].any())


def test_a_burnt_out_place_is_lost_and_what_is_far_from_it_is_not() -> None:
    known = degraded(burnout(30.0))
    row, column = BRIGHT
    assert float(known[row - 16 : row + 17, column - 16 : column + 17].max()) < 0.05
    assert float(known[:, : column - 110].min()) > 0.98


def test_a_small_burnt_out_place_is_lost_up_to_its_border() -> None:
    """As large as an optic disc: the pattern beside it must not be taken for one inside."""
    image, mask = eyes(4)
    drawn = Parameters.from_records([burnout(12.0)] * 4, FUNDUS.factors)
    white = FUNDUS.apply(image, mask, drawn).amin(dim=1, keepdim=True) > 0.99
    deep = -functional.max_pool2d(-white.float(), 3, 1, 1)
    assert float(deep.sum()) > 100
    known = information(FUNDUS, image, mask, drawn)
    known = functional.interpolate(known, image.shape[-2:], mode="bilinear", antialias=True)
    assert float((known * deep).sum()) < 0.05 * float(deep.sum())
    assert float((known * mask).sum()) > 0.8 * float(mask.sum())


def test_a_place_that_is_only_brighter_is_not_lost() -> None:
    assert float(degraded(burnout(1.5)).min()) > 0.9


def test_one_clipped_colour_is_no_loss_while_others_show_the_retina() -> None:
    image = torch.tensor([1.0, 0.5, 0.2])[None, :, None, None].expand(-1, -1, SIDE, SIDE)
    known = information(FUNDUS, image, torch.ones(1, 1, SIDE, SIDE), Parameters(1, {}))
    assert float(known.min()) > 0.98


def test_strong_noise_over_a_deep_shadow_hides_and_each_alone_does_not() -> None:
    middle = slice(SIDE // 2 - 8, SIDE // 2 + 8)
    dark, strong = shadow(0.97), noise(0.01, 0.05)
    both = degraded(dark | strong)
    assert float(both[middle, middle].max()) < 0.1
    assert float(both[:40, :40].mean()) > 0.7, "the light beside it"
    assert float(degraded(strong)[middle, middle].mean()) > 0.7
    assert float(degraded(dark)[middle, middle].mean()) > 0.7


def test_more_noise_leaves_less() -> None:
    left = [float(degraded(noise(0.0, read)).mean()) for read in (0.01, 0.03, 0.1, 0.3)]
    assert left == sorted(left, reverse=True)
    assert left[0] > 0.95
    assert left[-1] < 0.5


def test_coarse_grain_leaves_less_than_fine_noise_as_strong() -> None:
    middle = slice(SIDE // 2 - 8, SIDE // 2 + 8)
    sigma = 0.05
    grain: Record = {"grain": {"sigma": sigma, "seed": 1}}
    dark = shadow(0.97)
    light = float(degraded(dark | grain)[middle, middle].mean())
    assert light < 0.5 < float(degraded(dark)[middle, middle].mean())


def test_the_dice_of_the_noise_do_not_count() -> None:
    """Only its strength: a photograph does not show more for a pixel that happens to be right."""
    image, mask = eyes(1)
    found = []
    for seed in (1, 2):
        record: Record = {"noise": {"shot": 0.02, "read": 0.2, "seed": seed}}
        drawn = Parameters.from_records([record], FUNDUS.factors)
        found.append(information(FUNDUS, image, mask, drawn))
    assert torch.equal(*found)


def test_blur_wider_than_vessels_leaves_little() -> None:
    mild, strong = (degraded(noise(0.001, 0.01) | defocus(radius)) for radius in (0.001, 0.03))
    assert float(mild.mean()) > 0.9
    assert float(strong.mean()) < 0.5 * float(mild.mean())


def test_it_lies_between_0_and_1_and_no_batch_changes_it() -> None:
    image, mask = eyes(6)
    rng = CounterRNG(torch.arange(6), 5)
    for recipe in (FUNDUS, DegradationMixture(FUNDUS, FundusDegradation("handheld"))):
        drawn = recipe.draw(rng)
        known = information(recipe, image, mask, drawn)
        assert bool(known.isfinite().all())
        assert float(known.min()) >= 0.0
        assert float(known.max()) <= 1.0
        assert float(known.mean()) > 0.2
        split = [
            information(recipe, image[i : i + 2], mask[i : i + 2], drawn.between(i, i + 2))
            for i in (0, 2, 4)
        ]
        assert torch.allclose(known, torch.cat(split), atol=1e-4)


def test_the_parameters_are_left_as_they_are() -> None:
    image, mask = eyes(1)
    parameters = Parameters.from_records([noise(0.01, 0.05) | shadow(0.5)], FUNDUS.factors)
    before = parameters.records()
    information(FUNDUS, image, mask, parameters)
    assert parameters.records() == before


def test_noise_in_a_mixture_counts_like_noise_alone() -> None:
    image, mask = eyes(1)
    mixture = DegradationMixture(FUNDUS, FundusDegradation("handheld"))
    record = noise(0.02, 0.2)
    alone = information(FUNDUS, image, mask, Parameters.from_records([record], FUNDUS.factors))
    named: Record = {"second.noise": record["noise"]}
    mixed = information(mixture, image, mask, Parameters.from_records([named], mixture.factors))
    assert torch.allclose(alone, mixed)
    assert float(alone.mean()) < 0.5
