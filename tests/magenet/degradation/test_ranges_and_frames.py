"""What the fundus recipe draws, and that the frame around a field does not matter."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image, JpegImagePlugin
from torch.nn.functional import pad

from data_modules.datasets.phantom import draw_phantom
from magenet.degradation import (
    CofeDegradation,
    CounterRNG,
    DegradationMixture,
    FundusDegradation,
)  # fmt: skip
from magenet.degradation.factor import Values
from magenet.degradation.fundus.jpeg import CHROMINANCE, LUMINANCE

FUNDUS = FundusDegradation()
COUNT = 3000


def drawn(name: str) -> Values:
    rng = CounterRNG(torch.arange(COUNT))
    return FUNDUS.draw_chosen(rng, {name: torch.ones(COUNT)}).parts[name].values


@pytest.mark.parametrize(
    ("name", "ranges"),
    [
        ("exposure", {"stops": (-2, 1)}),
        ("vignette", {"x": (-0.35, 0.35), "y": (-0.4, 0.4), "fall": (0.3, 1.2)}),
        ("haze", {"share": (0.5, 0.9), "reach": (0.06, 0.2), "paleness": (0.3, 0.9)}),
        ("flare", {"radius": (0.3, 0.65), "share": (0.5, 1.0), "fall": (0.15, 0.6)}),
        ("dust", {"x": (-0.45, 0.45), "y": (-0.45, 0.45), "radius": (0.003, 0.02)}),
        ("shadow", {"length": (0.2, 0.5), "angle": (0, math.pi), "flatness": (1, 2)}),
        ("spots", {"x": (-0.8, 0.8), "y": (-0.8, 0.8), "radius": (0.004, 0.017)}),
    ],
)
def test_every_number_is_drawn_from_the_whole_of_its_range(
    name: str, ranges: dict[str, tuple[float, float]]
) -> None:
    values = drawn(name)
    for key, (low, high) in ranges.items():
        slack = (0.25 if name == "spots" and key != "radius" else 0.02) * (high - low)
        found = values[key]
        assert low - 1e-6 <= float(found.min()) <= low + slack, key
        assert high - slack <= float(found.max()) <= high + 1e-6, key


@pytest.mark.parametrize(
    ("name", "x", "y", "stretch"), [("flare", "x", "y", 1.6), ("haze", "lean_x", "lean_y", 1.0)]
)
def test_directions_are_drawn_evenly_all_around(name: str, x: str, y: str, stretch: float) -> None:
    values = drawn(name)
    turned = torch.atan2(values[y] / stretch, values[x]) / (2 * math.pi) % 1
    shares = torch.histc(turned, 8, 0, 1) / COUNT
    assert bool(((shares - 1 / 8).abs() < 0.025).all()), shares


def test_objects_are_as_many_and_of_the_kinds_that_are_stated() -> None:
    for name, key, fewest in (("shadow", "depth", 1), ("dust", "gain", 1), ("spots", "light", 3)):
        counts = (drawn(name)[key] != 0).sum(dim=1)
        assert int(counts.min()) == fewest, name
        assert int(counts.max()) == drawn(name)[key].shape[1], name
    gain = drawn("dust")["gain"]
    assert float((gain > 0).sum() / (gain != 0).sum()) == pytest.approx(0.4, abs=0.02)
    spots = drawn("spots")
    shown = spots["light"] > 0
    apart = (spots["x"] - spots["x"].median(dim=1, keepdim=True).values)[shown]
    assert float(apart.abs().max()) < 1.01, "a cluster, twice 0.5 wide"


@pytest.mark.parametrize("name", [n for n in FUNDUS.factors if n not in ("noise", "grain", "jpeg")])
@pytest.mark.parametrize("turned", [False, True])
def test_the_frame_around_the_field_does_not_matter(name: str, turned: bool) -> None:
    phantom = draw_phantom(11, 200)
    mask = phantom.field.mask[None].float()
    image = phantom.image[None].float() / 255 * mask
    margins = (0, 0, 30, 70) if turned else (50, 50, 0, 0)
    inside = (mask > 0).expand_as(image)
    for key in (1, 2, 3):
        values = FUNDUS.draw_chosen(CounterRNG(torch.tensor([key])), {name: torch.ones(1)})
        alone = FUNDUS.apply(image, mask, values)
        framed = FUNDUS.apply(pad(image, margins), pad(mask, margins), values)
        framed = framed[..., 30:230, :] if turned else framed[..., 50:250]
        assert float((framed - alone)[inside].abs().mean()) < 0.5 / 255


@pytest.mark.parametrize("recipe", [FUNDUS, CofeDegradation(), CofeDegradation(variant="online")])
def test_every_factor_alone_gives_a_photograph(recipe: FundusDegradation | CofeDegradation) -> None:
    image, mask = (torch.rand(12, 3, 64, 64) > 0.5).float(), torch.ones(12, 1, 64, 64)
    for name in recipe.factors:
        values = recipe.draw_chosen(CounterRNG(torch.arange(12)), {name: torch.ones(12)})
        result = recipe.apply(image, mask, values)
        assert 0.0 <= float(result.min()) <= float(result.max()) <= 1.0, name


def test_cofe_spots_are_whole_in_a_large_photograph() -> None:
    recipe = CofeDegradation()
    values = recipe.draw_chosen(CounterRNG(torch.arange(4)), {"spots": torch.ones(4)})
    small, large = (
        recipe.apply(torch.full((4, 3, n, n), 0.2), torch.ones(4, 1, n, n), values)
        for n in (512, 1536)
    )
    reduced = torch.nn.functional.avg_pool2d(large, 3)
    assert float((reduced - small).abs().max()) < 0.01


def test_the_quantisation_tables_are_libjpegs() -> None:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(stream, "jpeg", quality=50)
    with Image.open(stream) as picture:
        assert isinstance(picture, JpegImagePlugin.JpegImageFile)
        tables = picture.quantization
    assert [list(tables[index]) for index in (0, 1)] == [
        [value for row in table for value in row] for table in (LUMINANCE, CHROMINANCE)
    ]


def test_a_mixture_takes_the_second_recipe_as_often_as_it_says() -> None:
    for share in (0.0, 0.25, 1.0):
        mixture = DegradationMixture(CofeDegradation(["blur"]), CofeDegradation(["spots"]), share)
        chosen = mixture.choose(CounterRNG(torch.arange(COUNT)))
        second = chosen["second.spots"] > 0
        assert float(second.float().mean()) == pytest.approx(share, abs=0.03 * (0 < share < 1))
        assert torch.equal(chosen["first.blur"] > 0, ~second)
    for share in (-0.1, 1.1):
        with pytest.raises(ValueError, match="share"):
            DegradationMixture(CofeDegradation(), CofeDegradation(), share)
