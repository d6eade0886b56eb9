from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from data_modules.datasets.manifest import Manifest
from data_modules.datasets.phantom import draw_phantom
from data_modules.files.reading import read_mask, read_photograph
from magenet.imaging.crop import Square, composite, crop, paste, resize
from magenet.imaging.field_of_view import (
    LEAST_CONFIDENCE,
    FieldOfView,
    estimate_field,
    field_from_mask,
)

SURROUND = 12.0

DISCS = [
    (300, 420, 140, 180, 120),
    (420, 300, 230, 140, 120),
    (600, 900, 300, 400, 270),
    (300, 420, 100, 200, 120),  # clipped by the upper edge of the frame
]
"""Height and width of a frame; row, column and radius of a disc in it, off the centre."""

Estimate = Callable[[Tensor], FieldOfView]

every_disc = pytest.mark.parametrize("disc", DISCS, ids=str)


@pytest.fixture(params=[False, True], ids=["upright", "turned"])
def estimate(request: pytest.FixtureRequest) -> Estimate:
    """Estimate the field of a photograph, or of its transpose and turn that back."""
    if not request.param:
        return estimate_field

    def estimate_turned(image: Tensor) -> FieldOfView:
        field = estimate_field(image.mT)
        square = Square(field.square.left, field.square.top, field.square.side)
        return FieldOfView(field.mask.mT, square, field.confidence)

    return estimate_turned


class Drawn:
    """A disc that grows darker towards its edge: where each pixel of it is, is known."""

    def __init__(self, height: int, width: int, y: int, x: int, radius: int) -> None:
        self.rows, self.columns = torch.meshgrid(
            torch.arange(height), torch.arange(width), indexing="ij"
        )
        distance = (self.rows - y).square() + (self.columns - x).square()
        self.away = distance.sqrt() / radius
        self.mask = (self.away <= 1)[None]
        self.level = (170 - 70 * self.away).where(self.mask[0], SURROUND)


def photograph(level: Tensor) -> Tensor:
    colours = torch.tensor([1.0, 0.5, 0.25])[:, None, None]
    return (level * colours).round().to(torch.uint8)


def overlap(first: Tensor, second: Tensor) -> float:
    return float((first & second).sum() / (first | second).sum())


@pytest.mark.parametrize("seed", range(6))  # round ones and ones clipped top and bottom
@pytest.mark.parametrize("light", [1.0, 0.25])
def test_finds_the_field_of_a_phantom_bright_or_dark(
    estimate: Estimate, seed: int, light: float
) -> None:
    phantom = draw_phantom(seed, 200)
    dark = (phantom.image.float() * light).to(torch.uint8)
    field = estimate(dark)
    assert field.confidence > 0.7
    assert overlap(field.mask, phantom.field.mask) > 0.95


@every_disc
def test_a_disc_is_found_to_a_pixel_of_the_working_size(
    estimate: Estimate, disc: tuple[int, ...]
) -> None:
    drawn = Drawn(*disc)
    field, true = estimate(photograph(drawn.level)), field_from_mask(drawn.mask)
    assert overlap(field.mask, drawn.mask) > 0.994
    assert field.confidence > 0.99
    for side in ("top", "left", "side"):
        assert getattr(field.square, side) == pytest.approx(getattr(true.square, side), abs=2)
    sixteen_bits = photograph(drawn.level).to(torch.int32).mul(257).to(torch.uint16)
    assert torch.equal(estimate(sixteen_bits).mask, field.mask)


@every_disc
@pytest.mark.parametrize("what", ["shadow", "quarter", "text", "notch"])
def test_what_hides_the_edge_or_lies_beside_it_does_not_bias_the_field(
    estimate: Estimate, disc: tuple[int, ...], what: str
) -> None:
    drawn = Drawn(*disc)
    _, _, y, x, radius = disc
    rows, columns = drawn.rows, drawn.columns
    where = {
        # oblique: a shadow with a straight upright edge cannot be told from a clipped field
        "shadow": columns + 0.5 * (rows - y) > x + 0.4 * radius,
        "quarter": (columns > x) & (rows < y),
        "text": (rows > 4) & (rows < 20) & (columns > 4) & (columns < 70),
        "notch": (rows - y + radius).abs() + (columns - x).abs() < 0.3 * radius,
    }[what]
    level = drawn.level.masked_fill(where, 200.0 if what == "text" else SURROUND)
    field = estimate(photograph(level))
    assert overlap(field.mask, drawn.mask) > 0.99
    hidden = what in ("shadow", "quarter")
    assert (0.6 < field.confidence < LEAST_CONFIDENCE) == hidden, "a person should look"
    assert field.confidence < 0.99


@every_disc
def test_a_glow_beyond_the_edge_is_not_field(estimate: Estimate, disc: tuple[int, ...]) -> None:
    drawn = Drawn(*disc)
    glow = (60 * (1 - (drawn.away - 1) / 0.05)).clamp(min=SURROUND)
    field = estimate(photograph(torch.where(drawn.mask[0], drawn.level, glow)))
    assert overlap(field.mask, drawn.mask) > 0.985


@every_disc
@pytest.mark.parametrize("ends", [(0.7, 0.6), (0.7, 2.0), (2.0, 0.6), (0.92, 2.0)])
def test_a_disc_clipped_by_black_rows_ends_there(
    estimate: Estimate, disc: tuple[int, ...], ends: tuple[float, float]
) -> None:
    drawn, (height, width, y, _, radius) = Drawn(*disc), disc
    top, bottom = max(0, int(y - ends[0] * radius)), min(height, int(y + ends[1] * radius))
    clipped = (drawn.rows < top) | (drawn.rows >= bottom)
    mask = drawn.mask & ~clipped
    field = estimate(photograph(drawn.level.masked_fill(clipped, SURROUND)))
    assert overlap(field.mask, mask) > 0.98
    assert field.confidence > 0.95, "clipped, but as a disc should be"
    pixel = max(height, width) / 320
    found = field.mask[0].any(dim=1).nonzero()[:, 0]
    true = mask[0].any(dim=1).nonzero()[:, 0]
    assert float(found[0]) == pytest.approx(float(true[0]), abs=2 * pixel)
    assert float(found[-1]) == pytest.approx(float(true[-1]), abs=2 * pixel)


def test_a_disc_clipped_at_all_four_sides_ends_there(estimate: Estimate) -> None:
    drawn = Drawn(600, 800, 300, 400, 260)
    inside = ((drawn.rows - 300).abs() < 215) & ((drawn.columns - 400).abs() < 225)
    field = estimate(photograph(drawn.level.where(inside, SURROUND)))
    assert overlap(field.mask, drawn.mask & inside) > 0.98
    assert field.confidence > 0.95


@pytest.mark.parametrize("turned", [False, True])
def test_the_square_of_a_mask_is_centred_on_it_and_may_leave_the_frame(turned: bool) -> None:
    mask = torch.zeros(1, 40, 60, dtype=torch.bool)
    mask[:, 5:9, 20:51] = True
    field = field_from_mask(mask.mT if turned else mask)
    assert (field.square.left, field.square.top)[:: -1 if turned else 1] == (20, -9)
    assert field.square.side == 31
    assert field.confidence == 1.0


def test_where_no_edge_is_round_the_frame_is_the_field_without_confidence() -> None:
    straight = torch.full((200, 260), SURROUND)
    straight[:, 100:] = 120.0
    hole = torch.full((240, 320), 120.0)  # with so few edge points that no disc can be fitted
    hole[60:180, 60:260] = hole[:12, :12] = hole[:12, -12:] = SURROUND
    for level in (straight, straight.T, hole):
        field = estimate_field(photograph(level))
        assert bool(field.mask.all())
        assert field.mask.shape == (1, *level.shape)
        assert field.confidence == 0.0


@pytest.mark.parametrize("shape", [(3, 2000, 2), (3, 2, 2000), (3, 1, 1)])
def test_a_strip_has_no_confidence(shape: tuple[int, ...]) -> None:
    assert estimate_field(torch.zeros(shape, dtype=torch.uint8)).confidence == 0.0


def test_a_field_clipped_by_the_frame_is_clipped_there(estimate: Estimate) -> None:
    phantom = draw_phantom(1, 200, camera="clinic")
    image = torch.nn.functional.pad(phantom.image[:, 40:160], (30, 30, 0, 0))
    mask = torch.nn.functional.pad(phantom.field.mask[:, 40:160], (30, 30, 0, 0))
    field = estimate(image)
    assert overlap(field.mask, mask) > 0.95
    assert field.square.side == pytest.approx(194, abs=8)


def test_a_photograph_cropped_earlier_is_all_field() -> None:
    image = draw_phantom(0, 200).image[:, 60:140, 60:140]
    field = estimate_field(image)
    assert bool(field.mask.all())
    assert 0.5 <= field.confidence < 0.9


@pytest.mark.parametrize("border", [0, 20])
def test_a_white_surround_or_border_is_not_the_field(border: int) -> None:
    phantom = draw_phantom(0, 300)
    surround = 0 if border else 255
    image = torch.where(phantom.field.mask, phantom.image, surround).to(torch.uint8)
    image = torch.nn.functional.pad(image, (border,) * 4, value=255)
    true = torch.nn.functional.pad(phantom.field.mask, (border,) * 4)
    assert overlap(estimate_field(image).mask, true) > 0.97


def test_a_black_picture_has_no_confidence() -> None:
    assert estimate_field(torch.zeros(3, 80, 80, dtype=torch.uint8)).confidence == 0.0


def test_the_estimate_never_changes() -> None:
    image = draw_phantom(5, 150).image
    assert torch.equal(estimate_field(image).mask, estimate_field(image).mask)


@pytest.mark.parametrize("square", [Square(-10, 5, 80), Square(3, 2, 20), Square(10, -4, 75)])
def test_paste_puts_back_what_crop_took(square: Square) -> None:
    picture = torch.randint(0, 255, (3, 64, 70), dtype=torch.uint8)
    back = paste(crop(picture, square), square, 64, 70)
    taken = paste(crop(torch.ones_like(picture), square), square, 64, 70) > 0
    assert torch.equal(back[taken], picture[taken])
    assert not bool(back[~taken].any())


def test_resize_keeps_masks_hard_and_photographs_smooth() -> None:
    mask = torch.rand(1, 50, 50) > 0.5
    assert resize(mask, 20).dtype == torch.bool
    for level in (0, 77, 255):
        flat = torch.full((3, 50, 50), level, dtype=torch.uint8)
        for side in (21, 80):
            expected = torch.full((3, side, side), level, dtype=torch.uint8)
            assert torch.equal(resize(flat, side), expected)
    stripes = torch.zeros(3, 63, 63, dtype=torch.uint8)
    stripes[..., ::2] = 200  # finer than the small copy: it shows their mean, and no pattern
    assert (resize(stripes, 21).float() - 100).abs().max() <= 20


def test_composite_keeps_every_pixel_outside() -> None:
    original = torch.randint(0, 255, (3, 30, 30), dtype=torch.uint8)
    enhanced = torch.randint(0, 255, (3, 30, 30), dtype=torch.uint8)
    mask = torch.rand(1, 30, 30) > 0.5
    result = composite(enhanced, original, mask)
    outside = ~mask.expand_as(original)
    assert torch.equal(result[outside], original[outside])
    assert torch.equal(result[~outside], enhanced[~outside])
    with pytest.raises(ValueError, match="composite"):
        composite(enhanced.float(), original, mask)
    with pytest.raises(ValueError, match="composite"):
        composite(enhanced[:, :1], original, mask)


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        field_from_mask(torch.zeros(1, 8, 8, dtype=torch.bool))


@pytest.mark.data
def test_fields_of_real_photographs_agree_with_their_masks(photographs: Path) -> None:
    chosen = list(Manifest.from_csv(photographs / "index.csv"))[::12]
    overlaps = []
    for photograph in chosen:
        assert photograph.fov_mask is not None
        image = read_photograph(photograph.image)
        overlaps.append(overlap(estimate_field(image).mask, read_mask(photograph.fov_mask)))
    assert sum(overlaps) / len(overlaps) > 0.97
    assert min(overlaps) > 0.88
