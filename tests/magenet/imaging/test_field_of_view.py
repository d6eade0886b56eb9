from pathlib import Path

import pytest
import torch
from torch import Tensor

from data_modules.datasets.manifest import Manifest
from data_modules.datasets.phantom import draw_phantom
from data_modules.files.reading import read_mask, read_photograph
from magenet.imaging.crop import Square, composite, crop, paste, resize
from magenet.imaging.field_of_view import estimate_field, field_from_mask


def overlap(first: Tensor, second: Tensor) -> float:
    return float((first & second).sum() / (first | second).sum())


@pytest.mark.parametrize("seed", range(6))  # round ones and ones clipped top and bottom
@pytest.mark.parametrize("light", [1.0, 0.25])
def test_finds_the_field_of_a_phantom_bright_or_dark(seed: int, light: float) -> None:
    phantom = draw_phantom(seed, 200)
    dark = (phantom.image.float() * light).to(torch.uint8)
    field = estimate_field(dark)
    assert field.confidence > 0.7
    assert overlap(field.mask, phantom.field.mask) > 0.95


def test_a_field_clipped_by_the_frame_is_clipped_there() -> None:
    phantom = draw_phantom(1, 200, camera="clinic")
    image = torch.nn.functional.pad(phantom.image[:, 40:160], (30, 30, 0, 0))
    mask = torch.nn.functional.pad(phantom.field.mask[:, 40:160], (30, 30, 0, 0))
    field = estimate_field(image)
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
    flat = torch.full((3, 50, 50), 77, dtype=torch.uint8)
    assert torch.equal(resize(flat, 21), torch.full((3, 21, 21), 77, dtype=torch.uint8))


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
