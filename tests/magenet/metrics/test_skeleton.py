"""Thinning keeps what vessels are: connected lines of a length."""

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt, label
from torch import Tensor

from data_modules.datasets.phantom import Phantom, draw_phantom
from magenet.metrics import centerline_dice, longest_line, skeleton, vessel_length_change

EIGHT = np.ones((3, 3))


def bars(*boxes: tuple[slice, slice], size: int = 32) -> Tensor:
    mask = torch.zeros(1, 1, size, size, dtype=torch.bool)
    for rows, columns in boxes:
        mask[..., rows, columns] = True
    return mask


def test_lines_are_their_own_skeleton() -> None:
    flat = bars((slice(10, 11), slice(3, 29)))
    diagonal = torch.eye(32, dtype=torch.bool)[None, None]
    cross = flat | bars((slice(2, 20), slice(15, 16)))
    for line in (flat, flat.mT, diagonal, diagonal.flip(3), bars((slice(4, 5), slice(4, 5)))):
        assert torch.equal(skeleton(line), line)
    assert int(skeleton(cross).sum()) == int(cross.sum())


@pytest.mark.parametrize("thickness", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("upright", [False, True])
def test_a_bar_becomes_a_line_of_its_length(thickness: int, upright: bool) -> None:
    bar = bars((slice(10, 10 + thickness), slice(3, 29)))
    line = skeleton(bar.mT if upright else bar)
    line = line.mT if upright else line
    assert line.sum(dim=2).max() == 1, "one pixel wide"
    assert abs(int(line.sum()) - 26) <= thickness
    row = float(line[0, 0].nonzero()[:, 0].float().mean())
    assert row == pytest.approx(10 + (thickness - 1) / 2, abs=0.6), "in the middle"


def test_every_small_shape_keeps_its_pieces_and_holes() -> None:
    """All 65,536 drawings of 4x4 pixels, side by side on one canvas."""
    shapes = (torch.arange(2**16)[:, None] >> torch.arange(16) & 1).bool().view(256, 256, 4, 4)
    canvas = torch.zeros(256, 256, 6, 6, dtype=torch.bool)
    canvas[..., 1:5, 1:5] = shapes
    canvas = canvas.permute(0, 2, 1, 3).reshape(1, 1, 1536, 1536)
    thin = skeleton(canvas)
    assert not bool((thin & ~canvas).any()), "a subset"
    before, pieces = label(canvas[0, 0].numpy(), EIGHT)
    after, count = label(thin[0, 0].numpy(), EIGHT)
    assert count == pieces, "none breaks"
    assert len(np.unique(before[after > 0])) == pieces, "none vanishes"
    assert label(~thin[0, 0].numpy())[1] == label(~canvas[0, 0].numpy())[1], "holes stay"


def test_a_ring_stays_a_ring() -> None:
    ring = bars((slice(5, 27), slice(5, 27))) & ~bars((slice(11, 21), slice(11, 21)))
    thin = skeleton(ring)[0, 0].numpy()
    assert label(thin, EIGHT)[1] == 1
    assert label(~thin)[1] == 2
    assert 4 * 11 < thin.sum() < 4 * 16, "in the middle: corners are cut"


def test_vessels_become_their_middle() -> None:
    vessels = draw_phantom(3, 384).vessels[None].bool()
    line = skeleton(vessels)
    assert torch.equal(skeleton(line), line), "thinning a skeleton changes nothing"
    assert int(line.sum()) < 0.7 * int(vessels.sum())
    for mask in (vessels, line):
        assert label(mask[0, 0].numpy(), EIGHT)[1] == label(vessels[0, 0].numpy(), EIGHT)[1]
    code = torch.nn.functional.avg_pool2d(line.float(), 2, 1)
    assert float((code == 1).sum()) <= 0.02 * float(line.sum()), "hardly a block of 2x2"
    reach = distance_transform_edt(~line[0, 0].numpy())[vessels[0, 0].numpy()]
    assert reach.max() < 6, "no part of a vessel is far from its line"


def test_neighbours_in_a_batch_do_not_matter(phantom: Phantom) -> None:
    vessels = phantom.vessels[None].bool()
    block = bars((slice(3, 93), slice(3, 93)), size=96)  # needs many more rounds
    both = skeleton(torch.cat([vessels, block, torch.zeros_like(block)]))
    assert torch.equal(both[:1], skeleton(vessels))
    assert torch.equal(both[1:2], skeleton(block))
    assert not bool(both[2].any())


@pytest.fixture
def maps() -> tuple[Tensor, Tensor, Tensor]:
    truth = torch.zeros(4, 1, 40, 40)
    truth[..., 10:13, 2:38] = truth[..., 25:26, 2:38] = truth[..., 2:38, 20:24] = 1.0
    probability = truth + torch.linspace(0.2, 1.2, 4)[:, None, None, None] * torch.randn(
        4, 1, 40, 40
    )
    mask = torch.zeros_like(truth)
    mask[..., 3:36, 4:39] = 1.0
    return probability.clamp(0, 1), truth, mask


def slow_centerline_dice(probability: Tensor, truth: Tensor, mask: Tensor) -> float:
    predicted = (probability[0] >= 0.5).numpy() & (mask[0] > 0).numpy()
    true = (truth[0] >= 0.5).numpy() & (mask[0] > 0).numpy()
    predicted_line = skeleton(torch.from_numpy(predicted)[None, None])[0, 0].numpy()
    true_line = skeleton(torch.from_numpy(true)[None, None])[0, 0].numpy()
    precision = true[predicted_line].mean()
    sensitivity = predicted[true_line].mean()
    return float(2 / (1 / precision + 1 / sensitivity))


def test_centerline_dice_equals_its_definition(maps: tuple[Tensor, Tensor, Tensor]) -> None:
    scores = centerline_dice(*maps)
    expected = [slow_centerline_dice(*photograph) for photograph in zip(*maps, strict=True)]
    assert scores.tolist() == pytest.approx(expected, abs=1e-6)


def test_centerline_dice_of_a_photograph_without_a_vessel_is_nan(
    maps: tuple[Tensor, Tensor, Tensor],
) -> None:
    probability, truth, mask = maps
    truth[0] = 0.0
    assert centerline_dice(probability, truth, mask).isnan().tolist() == [True] + [False] * 3


def test_centerline_dice_of_nothing_found_is_zero_and_of_half_a_half() -> None:
    truth, field = bars((slice(4, 5), slice(0, 32))).float(), torch.ones(1, 1, 32, 32)
    for found in (torch.zeros_like(truth), truth.roll(9, dims=2)):
        assert float(centerline_dice(found, truth, field)) == 0.0
    half = truth * (torch.arange(32) < 16)
    elsewhere = half.roll(9, dims=2)
    assert float(centerline_dice(half + elsewhere, truth, field)) == pytest.approx(0.5)
    assert float(centerline_dice(0.5 * truth, 0.5 * truth, field)) == 1.0, "at least 0.5 is inside"


def test_centerline_dice_weighs_length_and_not_width() -> None:
    thick, thin = bars((slice(4, 13), slice(0, 32))), bars((slice(22, 23), slice(0, 32)))
    truth, field = (thick | thin).float(), torch.ones(1, 1, 32, 32)
    without_thin, without_thick = (
        float(centerline_dice(found.float(), truth, field)) for found in (thick, thin)
    )
    assert without_thick == pytest.approx(2 / 3, abs=0.1)
    assert without_thin == pytest.approx(2 / 3, abs=0.1)


def test_an_unchanged_photograph_changes_no_length(phantom: Phantom) -> None:
    vessels = phantom.vessels[None].bool()
    field = torch.ones(1, 1, 96, 96)
    for after in (vessels, vessels.roll(1, dims=3), vessels.roll(2, dims=2)):
        change = vessel_length_change(vessels, after, field)
        assert [float(share) for share in change] == [0.0, 0.0]


def test_lost_and_invented_are_shares_of_the_length_before() -> None:
    kept, gone = (slice(8, 9), slice(2, 30)), (slice(15, 16), slice(2, 16))
    new = (slice(24, 25), slice(2, 23))
    before, after = bars(kept, gone), bars(kept, new)
    field = torch.ones(1, 1, 32, 32)
    change = vessel_length_change(before, after, field)
    assert float(change.lost) == pytest.approx(14 / 42)
    assert float(change.invented) == pytest.approx(21 / 42)
    back = vessel_length_change(after, before, field)
    assert float(back.lost) == pytest.approx(21 / 49)
    assert float(back.invented) == pytest.approx(14 / 49)
    thicker = bars(kept, (slice(22, 27), slice(2, 23)))
    assert float(vessel_length_change(before, thicker, field).invented) == pytest.approx(
        21 / 42, abs=0.1
    ), "a length and no area"
    field[..., 20:, :] = 0.0  # nothing outside the field is invented
    assert float(vessel_length_change(before, after, field).invented) == 0.0


def test_the_tolerance_is_in_pixels_and_straight() -> None:
    before, field = bars((slice(10, 11), slice(0, 32))), torch.ones(1, 1, 32, 32)
    for way, lost in ((2, 0.0), (3, 1.0)):
        after = before.roll(way, dims=2)
        assert float(vessel_length_change(before, after, field).lost) == lost
        assert float(vessel_length_change(before, after, field, tolerance=3).lost) == 0.0
    dots = bars((slice(10, 11), slice(10, 11)))
    corner = dots.roll((2, 2), dims=(2, 3))  # 2.8 pixels away
    assert float(vessel_length_change(dots, corner, field).lost) == 1.0


def test_length_outside_the_field_and_batches_do_not_matter(
    maps: tuple[Tensor, Tensor, Tensor],
) -> None:
    probability, truth, mask = maps
    probability[1:3, ..., 6:14, 25:] = 0.0  # an end of one vessel is lost
    whole = vessel_length_change(truth, probability, mask)
    assert 0 < float(whole.lost.max()) <= 1
    assert float(whole.invented.max()) > 0
    flipped = [torch.where(mask > 0, plane, 1 - plane) for plane in (truth, probability)]
    again = vessel_length_change(*flipped, mask)
    for index in range(2):
        assert torch.equal(again[index], whole[index])
        parts = [
            vessel_length_change(truth[rows], probability[rows], mask[rows])[index]
            for rows in (slice(0, 1), slice(1, 4))
        ]
        assert torch.equal(torch.cat(parts), whole[index])


def test_without_vessels_before_nothing_is_said() -> None:
    nothing, field = torch.zeros(1, 1, 32, 32), torch.ones(1, 1, 32, 32)
    vessel = bars((slice(10, 11), slice(0, 32))).float()
    for after in (nothing, vessel):
        assert all(share.isnan() for share in vessel_length_change(nothing, after, field))
    change = vessel_length_change(vessel, nothing, field)
    assert [float(share) for share in change] == [1.0, 0.0]
    with pytest.raises(ValueError, match="one shape"):
        vessel_length_change(vessel, nothing, field[..., 1:])
    unknown = torch.full_like(vessel, torch.nan)
    for pair in ((vessel, unknown), (unknown, vessel)):
        with pytest.raises(ValueError, match="NaN"):  # not a vessel that is lost, or new
            vessel_length_change(*pair, field)


def test_the_longest_line_equals_the_largest_component_of_scipy() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(3, 1, 48, 40, generator=generator)
    masks = torch.stack([noise[0] > 0.45, noise[1] > 0.7, noise[2] > 2.0])
    line = skeleton(masks).numpy()
    expected = [np.bincount(label(one[0], np.ones((3, 3)))[0].ravel())[1:] for one in line]
    assert longest_line(masks).tolist() == [max(sizes, default=0) for sizes in expected]


def test_a_spiral_is_one_line() -> None:
    spiral = torch.zeros(1, 1, 41, 41, dtype=torch.bool)
    y = x = 20
    for number in range(18):
        down, right = ((0, 1), (1, 0), (0, -1), (-1, 0))[number % 4]
        for _ in range(2 * (number // 2 + 1)):
            y, x = y + down, x + right
            spiral[0, 0, y, x] = True
    assert int(longest_line(spiral)[0]) == int(skeleton(spiral).sum()) > 150
