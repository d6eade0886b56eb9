import pytest
import torch
from torch import Tensor
from torch.nn import functional

from magenet.inference.tiles import EDGE, SMALLEST_TILE, attending_to, tiled
from magenet.models import MAGENet


def far_sighted(image: Tensor) -> Tensor:
    """See as far as a tile's edge may reach, and no farther."""
    for size, reach in (((2 * EDGE + 1, 1), (EDGE, 0)), ((1, 2 * EDGE + 1), (0, EDGE))):
        image = functional.avg_pool2d(image, size, 1, reach, count_include_pad=False)
    return image


@pytest.mark.parametrize("tile", [320, 384, 500])
@pytest.mark.parametrize("size", [(611, 437), (320, 1000), (97, 33)])
def test_a_tiled_picture_is_the_whole_one(tile: int, size: tuple[int, int]) -> None:
    image = torch.rand(1, 3, *size)
    # Beyond the border the padding of the tiles shows: compare with the same padding.
    padded = functional.pad(image, (0, -size[1] % 32, 0, -size[0] % 32), mode="replicate")
    wanted = far_sighted(padded)[..., : size[0], : size[1]]
    torch.testing.assert_close(tiled(far_sighted, image, tile), wanted, atol=1e-5, rtol=0)


def test_no_seam_where_tiles_disagree() -> None:
    """A tile that is brighter than its neighbour must fade into it, not end."""
    calls = iter(range(100))
    result = tiled(lambda part: part * 0 + next(calls) % 2, torch.zeros(1, 1, 32, 2000), 320)
    steps = result.diff(dim=-1).abs()
    assert float(result.std()) > 0.1  # they do disagree
    assert float(steps.max()) <= 1 / 60


def test_a_tile_that_is_mostly_overlap_is_refused() -> None:
    with pytest.raises(ValueError, match=str(SMALLEST_TILE)):
        tiled(far_sighted, torch.rand(1, 3, 64, 64), SMALLEST_TILE - 1)


def test_channel_attention_of_a_tile_is_that_of_the_whole() -> None:
    network = MAGENet(widths=(8, 8, 8, 8), blocks=(1, 1, 1, 1), original_width=8).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    whole = torch.rand(1, 3, 96, 96) * torch.linspace(0.1, 1.0, 96)
    part = whole[..., :64, :64]
    with torch.no_grad():
        plain_whole, plain_part = network(whole).image, network(part).image
        with attending_to(network, whole):
            assert torch.equal(network(whole).image, plain_whole)
            held = network(part).image
        assert torch.equal(network(part).image, plain_part), "the attention was not released"
    inner = (..., slice(16, 32), slice(16, 32))
    assert float((held - plain_part)[inner].abs().max()) > 1e-4
