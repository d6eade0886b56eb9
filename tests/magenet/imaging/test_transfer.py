import pytest
import torch

from data_modules.datasets.phantom import draw_phantom
from magenet.imaging.crop import Square, crop, resize
from magenet.imaging.field_of_view import FieldOfView, field_from_mask
from magenet.imaging.transfer import enhance_at, spread, transfer


def test_no_change_gives_the_original_back() -> None:
    phantom = draw_phantom(2, 150)
    field = phantom.field
    seen = resize(crop(phantom.image, field.square), 64).float() / 255
    inside = resize(crop(field.mask, field.square), 64).float()
    assert torch.equal(transfer(seen, seen, inside, phantom.image, field), phantom.image)


def test_outside_the_field_every_bit_stays() -> None:
    original = torch.randint(0, 255, (3, 90, 120), dtype=torch.uint8)
    y, x = torch.meshgrid(torch.arange(90), torch.arange(120), indexing="ij")
    mask = ((y - 45) ** 2 + (x - 60) ** 2 < 55**2)[None]  # clipped above and below
    field = field_from_mask(mask)
    assert field.square.side > 90, "it reaches beyond the frame"
    inside = resize(crop(mask, field.square), 48).float()
    seen = resize(crop(original, field.square), 48).float() / 255
    result = transfer(torch.rand(3, 48, 48), seen, inside, original, field)
    outside = ~mask.expand_as(original)
    assert torch.equal(result[outside], original[outside])
    assert not torch.equal(result[~outside], original[~outside])


def test_a_uniform_change_reaches_the_very_edge() -> None:
    original = torch.full((3, 100, 100), 100, dtype=torch.uint8)
    y, x = torch.meshgrid(torch.arange(100), torch.arange(100), indexing="ij")
    mask = ((y - 50) ** 2 + (x - 50) ** 2 < 45**2)[None]
    field = FieldOfView(mask, Square(0, 0, 100), 1.0)
    seen = torch.full((3, 40, 40), 100 / 255)
    inside = resize(mask, 40).float()
    result = transfer(seen + 20 / 255, seen, inside, original, field)
    edge = mask & (torch.nn.functional.max_pool2d((~mask)[None].float(), 3, 1, 1)[0] > 0)
    assert result[edge.expand_as(result)].float().mean() > 118
    assert set(result[mask.expand_as(result)].unique().tolist()) <= {119, 120}


def test_detail_of_the_original_survives() -> None:
    torch.manual_seed(0)
    original = (torch.rand(3, 200, 200) * 100 + 50).to(torch.uint8)
    field = FieldOfView(torch.ones(1, 200, 200, dtype=torch.bool), Square(0, 0, 200), 1.0)
    seen = resize(original, 50).float() / 255
    result = transfer(seen + 0.1, seen, torch.ones(1, 50, 50), original, field)
    assert (result.float() - original.float() - 25.5).abs().max() < 1


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_at_the_networks_own_size_the_change_is_added_pixel_by_pixel(dtype: torch.dtype) -> None:
    """Neither smoothed nor beyond black and white."""
    torch.manual_seed(0)
    peak = torch.iinfo(dtype).max
    original = torch.randint(0, peak, (3, 40, 40), dtype=torch.int32).to(dtype)
    mask = torch.ones(1, 40, 40, dtype=torch.bool)
    change = torch.rand(3, 40, 40) - 0.5
    seen = original.float() / peak
    result = transfer(seen + change, seen, mask.float(), original, field_from_mask(mask))
    expected = ((seen + change) * peak).clamp(0, peak)
    assert (result.float() - expected).abs().max() <= 0.51 + 1e-6 * peak


def test_a_change_is_extrapolated_by_two_pixels_and_kept_inside() -> None:
    change = torch.rand(1, 3, 12, 12)
    inside = torch.zeros(1, 1, 12, 12)
    inside[..., :6] = 1.0
    result = spread(change, inside)
    assert torch.equal(result[..., :6], change[..., :6])
    assert bool((result[..., 6:8] > 0).all())
    assert not bool(result[..., 8:].any())
    assert torch.allclose(spread(torch.full_like(change, 0.3), inside)[..., :8], torch.tensor(0.3))


@pytest.mark.parametrize("band", [1, 7, 64, 100])
@pytest.mark.parametrize("size", [(211, 187), (96, 311)])
def test_streamed_in_bands_is_what_the_whole_gives(
    band: int, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the bands and the photograph's size: no seam, to the bit."""
    torch.manual_seed(0)
    original = torch.randint(0, 65535, (3, *size), dtype=torch.int32).to(torch.uint16)
    mask = torch.ones(1, *size, dtype=torch.bool)
    mask[..., :9] = mask[:, :5] = False
    field = field_from_mask(mask)
    inside = resize(crop(mask, field.square), 48).float()
    seen, enhanced = torch.rand(2, 3, 48, 48)
    results = []
    for height in (1000, band):
        monkeypatch.setattr("magenet.imaging.transfer.BAND", height)
        results.append(transfer(enhanced, seen, inside, original, field))
    assert torch.equal(*results)
    assert not torch.equal(results[0], original)


@pytest.mark.parametrize("side", [64, 96, 100])
def test_photographs_are_enhanced_at_the_size_that_the_network_knows(side: int) -> None:
    seen = []

    def network(image: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        seen.append(image.shape[-1])
        return image + 0.1

    image = 0.2 + 0.5 * torch.rand(2, 3, side, side)
    mask = torch.zeros(2, 1, side, side)
    mask[..., side // 8 : -side // 8, side // 8 : -side // 8] = 1.0
    result = enhance_at(64, network, image * mask, mask)
    assert seen == [64]
    assert torch.allclose(result * mask, (image + 0.1) * mask, atol=0.01), "detail stays"


def test_what_is_too_fine_for_the_network_is_averaged_and_not_skipped() -> None:
    stripes = torch.zeros(1, 3, 63, 63)
    stripes[..., ::2] = 1.0
    seen = []

    def network(image: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        seen.append(image)
        return image

    result = enhance_at(21, network, stripes, torch.ones(1, 1, 63, 63))
    assert (seen[0] - 0.5).abs().max() < 0.1
    assert torch.equal(result, stripes), "no change, whatever the network saw"
