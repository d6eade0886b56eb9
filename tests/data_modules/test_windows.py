import pytest
import torch
from torch.nn import functional

from data_modules import DetailDataModule, PhantomPhotographs, UnpairedDataModule
from data_modules.windows import MULTIPLE, draw_corners, draw_side
from magenet.degradation import CounterRNG
from magenet.imaging.crop import at_side


def rng(*keys: int) -> CounterRNG:
    return CounterRNG(torch.tensor(keys), 4)


@pytest.mark.parametrize(
    ("least", "own"), [(64, 256), (128, 1024), (512, 400), (100, 333), (1, 32)]
)
def test_sides_are_multiples_within_the_photograph(least: int, own: int) -> None:
    sides = [draw_side(rng(key), least, own) for key in range(300)]
    assert not any(side % MULTIPLE for side in sides)
    assert min(sides) >= max(1, min(least, own) // MULTIPLE) * MULTIPLE
    assert max(sides) <= own


@pytest.mark.parametrize("size", [0, 8, 100, 200])
def test_windows_off_the_grid_are_refused(size: int) -> None:
    for module in (DetailDataModule, UnpairedDataModule):
        with pytest.raises(ValueError, match="window_size must be a multiple of 16 px"):
            module(PhantomPhotographs(count=2, val_count=1), window_size=size)  # type: ignore[operator]


@pytest.mark.parametrize("side", [32, 64, 96, 256, 512, 1024])
def test_a_range_of_one_side_gives_that_side(side: int) -> None:
    assert {draw_side(rng(key), side, side) for key in range(20)} == {side}
    assert {draw_side(rng(key), 2 * side, side) for key in range(20)} == {side}, "never enlarged"


def test_every_scale_is_as_frequent() -> None:
    """As many batches between 128 and 256 as between 256 and 512: log-uniform."""
    sides = torch.tensor([draw_side(rng(key), 128, 512) for key in range(2000)])
    assert float((sides < 256).float().mean()) == pytest.approx(0.5, abs=0.05)


def test_the_first_key_decides_for_the_batch() -> None:
    assert draw_side(rng(3, 8), 64, 512) == draw_side(rng(3), 64, 512)
    assert len({draw_side(rng(key), 64, 512) for key in range(20)}) > 5


@pytest.mark.parametrize(("window", "side"), [(64, 256), (64, 80), (64, 64), (96, 64), (16, 400)])
def test_corners_are_multiples_within_the_photograph(window: int, side: int) -> None:
    corners = draw_corners(rng(*range(50)), 6, window, side)
    assert corners.shape == (50, 6, 2)
    assert corners.dtype == torch.int64
    assert not bool((corners % MULTIPLE).any())
    assert int(corners.min()) >= 0
    assert int(corners.max()) <= max(0, side - window)


def test_windows_lie_where_the_field_is() -> None:
    """Over all of its disc, at each side alike, and not in the corners of its square."""
    side, window = 1024, 64
    corners = draw_corners(rng(*range(400)), 8, window, side).flatten(0, 1).float()
    middles = (corners + window / 2) / side - 0.5
    distance = middles.square().sum(dim=1).sqrt()
    assert float(distance.max()) < 0.5
    assert float((distance < 0.235).float().mean()) == pytest.approx(0.25, abs=0.03), "by area"
    assert middles.mean(dim=0).tolist() == pytest.approx([0.0, 0.0], abs=0.02)
    rows, columns = middles.T
    assert float((rows * columns).mean()) == pytest.approx(0.0, abs=0.005), "in all directions"


def test_a_photograph_keeps_its_windows_in_any_batch() -> None:
    together, alone = draw_corners(rng(5, 6, 7), 4, 64, 512), draw_corners(rng(6), 4, 64, 512)
    assert torch.equal(together[1:2], alone)
    assert len(set(map(tuple, together.flatten(0, 1).tolist()))) > 8


def test_a_smaller_photograph_is_averaged_and_stays_in_range() -> None:
    image = torch.rand(2, 3, 64, 64)
    assert torch.equal(at_side(image, 64), image)
    assert torch.allclose(
        functional.avg_pool2d(at_side(image, 48), 48), functional.avg_pool2d(image, 64), atol=0.01
    )
    assert float(at_side(image, 16).std()) < 0.25 * float(image.std()), "of all its pixels"
    assert float(at_side(image, 16).max()) <= 1.0
