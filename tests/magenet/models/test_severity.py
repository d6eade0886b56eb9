import math

import pytest
import torch

from magenet.models import SeverityRegressor
from magenet.models.severity import LEAST_ERROR, block_errors

MASK = torch.ones(1, 1, 96, 128)
CLEAN = 0.2 + 0.6 * torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(0))


def test_light_and_detail_are_told_apart() -> None:
    lighter, known = block_errors(CLEAN + 0.1, CLEAN, MASK)
    assert known.shape == (1, 1, 3, 4)
    assert lighter.shape == (1, 2, 3, 4)
    assert torch.allclose(lighter[:, 0], torch.tensor(math.log(0.1 + LEAST_ERROR)), atol=1e-3)
    assert torch.allclose(lighter[:, 1], torch.tensor(math.log(LEAST_ERROR)), atol=1e-2)
    noise = 0.1 * torch.randn(1, 3, 96, 128)
    noisier, _ = block_errors(CLEAN + noise, CLEAN, MASK)
    assert bool((noisier[:, 1] > math.log(0.05)).all())
    assert bool((noisier[:, 0] < math.log(0.03)).all())


def test_colour_does_not_count() -> None:
    tinted = CLEAN * torch.tensor([1.2, 1.0, 0.5])[:, None, None]
    assert torch.equal(block_errors(tinted, CLEAN, MASK)[0], block_errors(CLEAN, CLEAN, MASK)[0])
    network = SeverityRegressor(widths=(8, 8, 8, 8, 8))
    assert torch.equal(network(tinted), network(CLEAN))


def test_blocks_at_the_rim_are_unknown() -> None:
    mask = MASK.clone()
    mask[..., 50:] = 0.0
    lighter, known = block_errors(CLEAN + 0.1, CLEAN, mask)
    assert known[0, 0, 0].tolist() == [1.0, 1.0, 0.0, 0.0]
    # Of a block half outside, the error is that of its inside.
    assert float(lighter[0, 0, 0, 0]) == pytest.approx(float(lighter[0, 0, 0, 1]), abs=0.3)


@pytest.mark.parametrize("size", [(32, 32), (70, 45), (96, 128)])
def test_map_and_its_target_have_one_shape(size: tuple[int, int]) -> None:
    image, mask = torch.rand(2, 3, *size), torch.ones(2, 1, *size)
    errors, known = block_errors(image, image, mask)
    found = SeverityRegressor(widths=(8, 8, 8, 8, 8))(image)
    assert found.shape == errors.shape
    assert known.shape[-2:] == found.shape[-2:]


def test_another_number_of_widths_is_refused() -> None:
    with pytest.raises(ValueError, match="need 5 widths"):
        SeverityRegressor(widths=(8, 8))
