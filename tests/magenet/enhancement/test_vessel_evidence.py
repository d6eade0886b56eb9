import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from data_modules.datasets.phantom import draw_phantom
from experiments.studies.fundus_check.other_pictures import Canvas, basketball, sun, textured_disc
from experiments.studies.fundus_check.transformations import grey
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.vessel_evidence import (
    LEAST_COLOUR,
    LEAST_LENGTH,
    VesselEvidence,
    vessel_evidence,
)
from magenet.imaging.field_of_view import estimate_field


@pytest.fixture(scope="module")
def enhancer() -> PhotographEnhancer:
    return PhotographEnhancer.from_pretrained("mage_net", torch.device("cpu"), 16 << 30)


def evidence_of(enhancer: PhotographEnhancer, image: Tensor) -> VesselEvidence:
    seen, inside = enhancer._shown(image, estimate_field(image), 512)
    return vessel_evidence(seen[None], enhancer.find_vessels(seen[None]), inside[None])


def cross(colour: tuple[float, float, float]) -> tuple[Tensor, Tensor]:
    """Return a picture with two crossing lines of a colour, and the lines."""
    lines = torch.zeros(1, 1, 128, 128)
    lines[..., 62:66, 10:118] = lines[..., 20:100, 30:34] = 1.0
    ground, ink = (torch.tensor(c)[:, None, None] for c in ((0.8, 0.4, 0.2), colour))
    return ground + lines * (ink - ground), lines


def test_length_counts_connected_lines_inside_the_field() -> None:
    image, lines = cross((0.7, 0.2, 0.1))
    mask = torch.ones(1, 1, 128, 128)
    assert vessel_evidence(image, lines, mask).length == pytest.approx(187 / 128, abs=0.05)
    mask[..., 28:] = 0.0
    assert vessel_evidence(image, lines, mask).length == pytest.approx(18 / 128, abs=0.03)


def test_colour_is_the_difference_of_the_log_contrasts() -> None:
    mask = torch.ones(1, 1, 128, 128)
    expected = math.log(0.4 / 0.2) - math.log(0.8 / 0.7)
    assert vessel_evidence(*cross((0.7, 0.2, 0.1)), mask).colour == pytest.approx(expected)
    assert vessel_evidence(*cross((0.4, 0.2, 0.1)), mask).colour == pytest.approx(0.0, abs=1e-6)
    black = vessel_evidence(*cross((0.0, 0.0, 0.0)), mask).colour
    assert black == pytest.approx(math.log(0.4 / 0.8))


def test_no_lines_are_no_evidence() -> None:
    image, lines = cross((0.7, 0.2, 0.1))
    evidence = vessel_evidence(image, torch.zeros_like(lines), torch.ones_like(lines))
    assert evidence.length == 0.0
    assert math.isnan(evidence.colour)


@pytest.mark.parametrize("seed", range(3))
def test_a_drawn_retina_has_the_evidence_and_in_grey_not(
    seed: int, enhancer: PhotographEnhancer
) -> None:
    image = draw_phantom(seed, 512).image
    evidence = evidence_of(enhancer, image)
    assert evidence.length > 2 * LEAST_LENGTH
    assert evidence.colour > 2 * LEAST_COLOUR
    assert evidence_of(enhancer, grey(image, estimate_field(image))).colour < LEAST_COLOUR


@pytest.mark.parametrize("draw", range(2))
@pytest.mark.parametrize("kind", [textured_disc, basketball, sun])
def test_round_orange_things_lack_it(
    kind: Callable[[Canvas], None], draw: int, enhancer: PhotographEnhancer
) -> None:
    """Those that the fundus check does not refuse."""
    canvas = Canvas(draw)
    kind(canvas)
    evidence = evidence_of(enhancer, (canvas.pixels.clamp(0, 1) * 255).to(torch.uint8))
    assert evidence.length < LEAST_LENGTH or not evidence.colour >= LEAST_COLOUR
