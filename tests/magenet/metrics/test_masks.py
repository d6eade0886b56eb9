"""A mean counts what lies inside its mask, and nothing else."""

import pytest
import torch

from magenet.metrics.masks import mean_inside


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool])
def test_a_mean_counts_pixels_inside_and_all_channels(dtype: torch.dtype) -> None:
    value, mask = torch.rand(3, 2, 8, 9), (torch.rand(3, 1, 8, 9) > 0.5).to(dtype)
    mask[2] = 0
    expected = [value[i][:, mask[i, 0] > 0].mean() for i in range(2)]
    assert torch.allclose(mean_inside(value, mask)[:2], torch.stack(expected))
    assert float(mean_inside(value, mask)[2]) == 0.0, "an empty mask"
    changed = torch.where(mask > 0, value, 9.0)
    assert torch.equal(mean_inside(changed, mask), mean_inside(value, mask))
