import math

import pytest
import torch
from torch import Tensor

from magenet.metrics import disc_shift


def disc(row: float, column: float, radius: float, size: int = 96) -> Tensor:
    axis = torch.arange(size)
    inside = (axis[:, None] - row) ** 2 + (axis - column) ** 2 <= radius**2
    return inside.float()[None, None]


@pytest.mark.parametrize(("down", "right"), [(0, 0), (0, 12), (-9, 0), (6, 8)])
@pytest.mark.parametrize("radius", [6.0, 12.0])
def test_the_shift_of_a_moved_disc_is_in_its_diameters(
    down: int, right: int, radius: float
) -> None:
    shift = disc_shift(disc(40, 50, radius), disc(40 + down, 50 + right, radius))
    assert float(shift) == pytest.approx(math.hypot(down, right) / (2 * radius), rel=0.03)


def test_growing_moves_nothing_and_only_the_disc_before_gives_the_scale() -> None:
    assert float(disc_shift(disc(40, 50, 8), disc(40, 50, 15))) == pytest.approx(0.0, abs=1e-6)
    there, back = disc(40, 50, 8), disc(40, 60, 16)
    assert float(disc_shift(there, back)) == pytest.approx(10 / 16, rel=0.03)
    assert float(disc_shift(back, there)) == pytest.approx(10 / 32, rel=0.03)


def test_equals_a_slow_sum_and_knows_no_neighbours() -> None:
    before, after = (torch.rand(3, 1, 17, 23) for _ in range(2))
    expected = []
    for one, other in zip(before, after, strict=True):
        pixels = [(plane[0] >= 0.5).nonzero().double() for plane in (one, other)]
        offset = (pixels[0].mean(dim=0) - pixels[1].mean(dim=0)).norm()
        expected.append(float(offset) / (2 * math.sqrt(len(pixels[0]) / math.pi)))
    assert disc_shift(before, after).tolist() == pytest.approx(expected, rel=1e-5)
    alone = [disc_shift(before[i : i + 1], after[i : i + 1]) for i in range(3)]
    assert torch.equal(torch.cat(alone), disc_shift(before, after))


def test_without_a_disc_nothing_is_said() -> None:
    nothing, one = torch.zeros(1, 1, 96, 96), disc(40, 50, 8)
    for before, after in ((nothing, one), (one, nothing), (nothing, nothing)):
        assert bool(disc_shift(before, after).isnan())
    with pytest.raises(ValueError, match="one shape"):
        disc_shift(one, one.expand(2, -1, -1, -1))
