import pytest
import torch
from torch import Tensor

from magenet.models.ridge import RidgeFilter, gaussian, ridges

SIDE = 512


def even(height: int = SIDE, width: int = SIDE) -> Tensor:
    return torch.full((1, 3, height, width), 0.5)


def found(image: Tensor, share: float = 0.1) -> Tensor:
    """Return where vessels are found, bool `(H, W)`."""
    result: Tensor = RidgeFilter(share)(image)
    return result[0, 0] > 0


@pytest.mark.parametrize("width", [2, 4, 8, 12])
@pytest.mark.parametrize("across", [False, True])
def test_a_dark_line_is_found_at_any_width(width: int, across: bool) -> None:
    image = even(128, SIDE)
    image[..., 300 : 300 + width] *= 0.8
    image = image.mT.contiguous() if across else image
    # The scale is that of the width: a photograph that is narrower shows wider vessels.
    filtered = RidgeFilter(0.1, [sigma * SIDE / image.shape[-1] for sigma in (1.2, 1.8, 2.7, 4.0)])
    seen = filtered(image)[0, 0] > 0
    seen = seen.mT if across else seen
    middle = 300 + width // 2
    assert bool(seen[40:88, middle].all())
    assert not bool(seen[40:88, 40:280].any())
    assert not bool(seen[40:88, 330:480].any())


def test_a_line_in_any_direction_is_found() -> None:
    image = even(256, SIDE)
    rows, columns = torch.arange(256)[:, None], torch.arange(SIDE)
    image[..., ((rows - columns + 128).abs() < 3)] *= 0.8
    seen = found(image)
    on = [bool(seen[row, row + 128]) for row in range(50, 200)]
    assert all(on)
    assert not bool(seen[50:200, 400:480].any())


def test_a_bright_line_and_an_edge_are_no_vessels() -> None:
    """Beside them a dark line that is as deep: what is found is this alone."""
    image = even(128, SIDE)
    image[..., 100:104] *= 1.25
    image[..., 400:] *= 0.6
    image[..., 250:254] *= 0.8
    level = (image[:, 1:2] + 0.02).log()
    for sigma in (1.2, 1.8):
        response = ridges(level, sigma)[0, 0, 64]
        assert float(response[101:103].max()) < 0.1 * float(response[250:254].max())
    # Beside a bright line, and at the foot of an edge, the curvature is that of a faint line.
    seen = found(image, share=0.02)[40:88]
    assert bool(seen[:, 251:253].all())
    assert not bool(seen[:, 101:103].any())
    assert not bool(seen[:, 390:400].any())


def test_half_the_light_shows_the_same_vessels() -> None:
    image = even(128, SIDE) + 0.02 * torch.randn(1, 1, 128, SIDE)
    image[..., 250:254] *= 0.7
    image[..., 100:106] *= 0.8
    bright, dark = found(image), found(0.5 * image)
    assert float((bright != dark).float().mean()) < 0.01


def test_vessels_in_light_and_in_shade_are_judged_alike() -> None:
    image = even(128, SIDE)
    image[..., 100:104] *= 0.8
    image[..., 400:404] *= 0.8
    seen = found(image * torch.linspace(1.0, 0.1, SIDE), share=0.01)[40:88]
    assert bool(seen[:, 101:103].all())
    assert bool(seen[:, 401:403].all())


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_no_more_is_found_than_the_share_of_the_field(share: float) -> None:
    """However strong the contrast of a photograph: it gains nothing by it."""
    noise = torch.randn(1, 1, 128, SIDE)
    for contrast in (0.01, 0.1):
        part = float(
            found((even(128, SIDE) + contrast * noise).clamp(0.05, 1.0), share).float().mean()
        )
        assert part <= share + 0.002
        assert part > 0.5 * share


def test_each_photograph_of_a_batch_is_judged_alone() -> None:
    faint, strong = even(128, SIDE), even(128, SIDE)
    faint[..., 200:204] *= 0.95
    strong[..., 300:304] *= 0.5
    both: Tensor = RidgeFilter()(torch.cat([faint, strong]))
    assert torch.allclose(both[:1], RidgeFilter()(faint), atol=1e-3)
    assert torch.equal(both[0, 0] > 0, found(faint))
    assert torch.equal(both[1, 0] > 0, found(strong))


def test_the_black_surround_and_the_rim_are_no_vessels() -> None:
    axis = torch.arange(SIDE) - SIDE / 2 + 0.5
    distance = (axis[:, None].square() + axis.square()).sqrt()
    image = even() * (distance < 230)
    image = image * (1 + 0.02 * torch.randn(1, 1, SIDE, SIDE))
    image[..., 250:254] *= 0.7
    seen = found(image.clamp(0.0, 1.0))
    assert not bool(seen[distance > 222].any())
    assert bool(seen[60:450, 251:253].all())
    field = float((distance < 230).float().mean())
    assert float(seen.float().mean()) <= 0.1 * field


def test_nothing_is_found_where_there_is_nothing() -> None:
    for image in (torch.zeros(1, 3, 64, 64), even(64, 64)):
        logits: Tensor = RidgeFilter()(image)
        assert bool((logits < 0).all())


def test_scales_are_those_of_the_photograph_and_not_of_its_pixels() -> None:
    """A vessel of 10 px at 512 px is one of 40 px at 2048, and found in its middle."""
    image = even(64, 4 * SIDE)
    image[..., 1000:1040] *= 0.8
    seen = found(image, share=0.015)[32]
    assert bool(seen[1012:1028].all())
    assert not bool(seen[:960].any())


def line(width: int, side: int = 128) -> Tensor:
    """Return a dark line in the middle, `(1, 1, H, W)`."""
    level = torch.zeros(1, 1, side, side)
    level[..., side // 2 - width // 2 : side // 2 + width // 2] = -0.2
    return level


def test_wide_and_narrow_vessels_are_judged_alike() -> None:
    narrow, wide = ridges(line(4), 2.0), ridges(line(8), 4.0)
    assert float(wide.max()) == pytest.approx(float(narrow.max()), rel=0.05)


def test_a_slanting_vessel_is_as_strong_as_an_upright_one() -> None:
    place = torch.arange(128) - 64.0
    for angle in (0.0, 30.0, 45.0, 120.0):
        direction = torch.tensor(angle).deg2rad()
        distance = place * direction.cos() + place[:, None] * direction.sin()
        level = -0.2 * torch.exp(-(distance / 3).square())[None, None]
        strongest = float(ridges(level, 2.0)[0, 0, 40:88, 40:88].max())
        upright = float(
            ridges(-0.2 * torch.exp(-(place / 3).square()).expand(1, 1, 128, -1), 2.0).max()
        )
        assert strongest == pytest.approx(upright, rel=0.03)


def test_a_round_spot_is_no_vessel() -> None:
    place = torch.arange(128) - 64.0
    squared = place.square() + place[:, None].square()
    spot = -0.2 * torch.exp(-squared / 9)[None, None]
    assert float(ridges(spot, 2.0)[0, 0, 64, 64]) < 0.05 * float(ridges(line(4), 2.0).max())


def test_derivatives_are_those_of_the_surface() -> None:
    """A paraboloid is curved the same everywhere, in x, in y and across."""
    axis = torch.arange(-20.0, 21.0)
    x, y = axis[None, :], axis[:, None]
    surface = (0.5 * 0.3 * x.square() - 0.5 * 0.2 * y.square() + 0.1 * x * y)[None, None]
    orders = {(2, 0): 0.3, (0, 2): -0.2, (1, 1): 0.1}
    for order, wanted in orders.items():
        assert float(gaussian(surface, 2.0, *order)[0, 0, 20, 20]) == pytest.approx(
            wanted, rel=0.03
        )


def test_it_is_fp32_under_autocast() -> None:
    image = even(64, 128) + 0.05 * torch.randn(1, 1, 64, 128)
    plain: Tensor = RidgeFilter()(image)
    with torch.autocast("cpu", torch.bfloat16):
        mixed: Tensor = RidgeFilter()(image)
    assert torch.equal(plain, mixed)
