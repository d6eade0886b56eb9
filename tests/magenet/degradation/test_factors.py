"""Each factor against an independent slow reference, at the reference size of 512 px."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from data_modules.phantom import draw_phantom
from magenet.degradation import Draws
from magenet.degradation.blur import blur
from magenet.degradation.light import HALO_COLOURS, add_halo, add_hole, change_colour
from magenet.degradation.spots import add_spots
from tests.magenet.degradation import reference
from tests.magenet.degradation.reference import Array

TOLERANCE = 1 / 255


@pytest.fixture(scope="module")
def pair() -> tuple[Tensor, Tensor]:
    phantom = draw_phantom(11, 512)
    mask = phantom.field.mask[None].float()
    return phantom.image[None].float() / 255 * mask, mask


def channels_last(image: Tensor) -> Array:
    return image[0].permute(1, 2, 0).double().numpy()


def error(image: Tensor, wanted: Array) -> float:
    return float(np.abs(channels_last(image) - wanted).mean())


@pytest.mark.parametrize("key", [1, 2, 3])
def test_colour_is_pillows(pair: tuple[Tensor, Tensor], key: int) -> None:
    draws = Draws(torch.tensor([key]))
    factors = [
        float(draws.uniform(name, low, high))
        for name, low, high in (
            ("brightness", 0.7, 1.2), ("contrast", 0.6, 1.4), ("saturation", 0.6, 1.4)
        )
    ]  # fmt: skip
    wanted = reference.colour(channels_last(pair[0]), *factors)
    assert error(change_colour(pair[0], draws), wanted) < 2 * TOLERANCE  # Pillow rounds thrice


@pytest.mark.parametrize("key", [1, 2, 3, 4])
def test_halo(pair: tuple[Tensor, Tensor], key: int) -> None:
    draws = Draws(torch.tensor([key]))
    cx, cy = (float(draws.integer(f"halo_{axis}", 192, 320)) for axis in "xy")
    inner = 512 * float(draws.uniform("halo_inner", 0.75, 1.0))
    q = 2 * math.floor(math.hypot(max(cx, 512 - cx), max(cy, 512 - cy))) / 512
    shift = abs(max(cx - 256, cy - 256) + 256)
    outer = 512 * float(draws.uniform("halo_outer", 1.0, q)) + shift
    tint = np.array(HALO_COLOURS[int(draws.integer("halo_colour", 0, 1))])
    wanted = reference.halo(channels_last(pair[0]), cx, cy, inner, outer, tint)
    result = add_halo(pair[0], draws)
    assert error(result, wanted) < TOLERANCE
    assert np.abs(wanted - channels_last(pair[0])).mean() > 5 * TOLERANCE  # it does something


@pytest.mark.parametrize("key", [1, 2, 3, 4])
def test_hole(pair: tuple[Tensor, Tensor], key: int) -> None:
    image, mask = pair
    draws = Draws(torch.tensor([key]))
    diameter = draws.integer("hole_size", 205, 358)
    cx = float(draws.integer("hole_x", 128, 384))
    cy = float(draws.integer("hole_y", 192, 320))
    level = float(image.sum() / (3 * mask.sum()))
    base = float(draws.uniform("hole_base", -0.262, -0.26))
    depth = float(draws.uniform("hole_depth", base - 0.06 * level, base - 0.05 * level))
    kx, ky = (
        int(draws.uniform(f"hole_blur_{axis}", 0.55 * diameter, 0.75 * diameter)) for axis in "xy"
    )
    assert level > 0.25
    wanted = reference.hole(channels_last(image), cx, cy, float(diameter), kx, ky, depth)
    assert error(add_hole(image, mask, draws), wanted) < TOLERANCE


def test_a_dark_photograph_gets_no_hole(pair: tuple[Tensor, Tensor]) -> None:
    image, mask = pair
    dark = image * 0.3
    assert torch.equal(add_hole(dark, mask, Draws(torch.tensor([1]))), dark)


@pytest.mark.parametrize("key", [1, 2])
def test_spots(pair: tuple[Tensor, Tensor], key: int) -> None:
    draws = Draws(torch.tensor([key]))
    count = int(draws.integer("spot_count", 5, 10))
    sizes = draws.integer("spot_size", 6, 25, 10)[0]
    unit = [draws.uniform(f"spot_{axis}", 0.0, 1.0, 10)[0] for axis in "xy"]
    share = draws.uniform("spot_blur", 0.0, 1.0, 10)[0]
    light = np.zeros((512, 512))
    for i in range(count):
        size = int(sizes[i])
        cx, cy = (float(size + 1 + u[i] * (512 - 2 * size - 2)) for u in unit)
        sigma = 2 * (5 + 20 * size / 25)
        low, high = math.floor(sigma / 5), math.floor(sigma / 4)
        light += reference.spot(size, cx, cy, round(low + float(share[i]) * (high - low)))
    wanted = np.clip(channels_last(pair[0]) + light[..., None], 0, 1)
    result = add_spots(pair[0], draws)
    assert error(result, wanted) < TOLERANCE
    # Spots are small: compare where they are, too.
    there = light > 0.01
    assert np.abs(channels_last(result) - wanted)[there].mean() < 4 * TOLERANCE
    assert light[there].mean() > 12 * TOLERANCE


@pytest.mark.parametrize("key", [1, 2, 3])
def test_blur(pair: tuple[Tensor, Tensor], key: int) -> None:
    draws = Draws(torch.tensor([key]))
    sigma = draws.uniform("blur_sigma", 5.0, 15.0)
    low, high = (sigma / 3).floor(), (sigma / 2).floor()
    sizes = [
        reference.odd(float(draws.integer(f"blur_kernel_{axis}", low, high))) for axis in (2, 3)
    ]
    assert all(1 <= size <= 7 for size in sizes)
    wanted = reference.box_like(channels_last(pair[0]), float(sigma), *sizes)
    assert error(blur(pair[0], draws), wanted) < TOLERANCE / 10
