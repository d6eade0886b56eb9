"""What a mask selects counts, and nothing else; masks of other shapes are refused."""

import pytest
import torch
from scipy.ndimage import distance_transform_edt

from magenet.metrics.masks import check_masks, dilate, mean_inside, require_numbers


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool])
def test_a_mean_counts_pixels_inside_and_all_channels(dtype: torch.dtype) -> None:
    value, mask = torch.rand(3, 2, 8, 9), (torch.rand(3, 1, 8, 9) > 0.5).to(dtype)
    mask[2] = 0
    expected = [value[i][:, mask[i, 0] > 0].mean() for i in range(2)]
    assert torch.allclose(mean_inside(value, mask)[:2], torch.stack(expected))
    assert float(mean_inside(value, mask)[2]) == 0.0, "an empty mask"
    changed = torch.where(mask > 0, value, 9.0)
    assert torch.equal(mean_inside(changed, mask), mean_inside(value, mask))


def test_the_mean_of_one_pixel_is_its_value() -> None:
    value, mask = torch.rand(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    mask[..., 2, 3] = 1.0
    assert float(mean_inside(value, mask)) == float(value[0, 0, 2, 3])


@pytest.mark.parametrize("radius", [1, 2, 3, 5])
def test_dilation_adds_what_is_within_the_radius(radius: int) -> None:
    mask = torch.rand(2, 1, 40, 50) > 0.995
    for plane, dilated in zip(mask[:, 0], dilate(mask, radius)[:, 0], strict=True):
        near = torch.from_numpy(distance_transform_edt(~plane.numpy()) <= radius)
        assert torch.equal(dilated, near)


def test_masks_of_one_shape_pass_and_others_are_refused() -> None:
    good = torch.zeros(2, 1, 4, 5)
    check_masks(good)
    check_masks(good, good, good)
    for masks in (
        (good, good[:1]),
        (good[:, :, 0],) * 2,
        (good[:, 0], good),
        (good.expand(-1, 3, -1, -1),) * 2,
        (good[:, :0],) * 2,
        (good[:, None],) * 2,
    ):
        with pytest.raises(ValueError, match="one shape"):
            check_masks(*masks)


def test_what_is_no_number_is_refused_inside_the_field_alone() -> None:
    probability, mask = torch.rand(2, 1, 4, 4), torch.ones(2, 1, 4, 4)
    mask[1, ..., :2] = 0.0
    require_numbers(probability, mask)
    probability[1, ..., :2] = torch.nan
    require_numbers(probability, mask)
    probability[1, ..., 3] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        require_numbers(probability, mask)
