import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

from magenet.enhancement.uncertainty import local_mean, uncertainty_score

MASK = torch.ones(1, 1, 64, 64)
MASK[..., :, :20] = 0


def test_smoothing_does_not_see_beyond_the_field() -> None:
    plane = torch.full((1, 1, 64, 64), 0.25)
    plane[..., :, :20] = 9.0
    result = local_mean(plane, MASK)
    torch.testing.assert_close(result, 0.25 * MASK)


def test_estimates_that_agree_leave_no_doubt() -> None:
    estimate = torch.rand(1, 3, 64, 64)
    assert (
        float(uncertainty_score(estimate.expand(4, -1, -1, -1), 0 * estimate[0], MASK).max()) < 1e-4
    )


def test_doubt_grows_with_disagreement_and_is_where_the_change_is() -> None:
    seen = torch.zeros(3, 64, 64)
    estimates = torch.zeros(2, 3, 64, 64)
    estimates[:, :, :, 40:] = 0.2
    estimates[0] += 0.01
    calm = uncertainty_score(estimates, seen, MASK)[0, 0]
    assert float(calm[:, 44:].min()) > 2 * float(calm[:, 22:36].max())
    assert float(calm[:, :20].max()) == 0.0, "outside the field there is nothing to doubt"
    estimates[1] -= 0.03
    assert bool((uncertainty_score(estimates, seen, MASK)[0, 0] > calm)[:, 20:].all())


@pytest.mark.parametrize(("side", "window"), [(64, 3), (288, 9)])  # a thirty-second of the side
def test_equals_an_independent_implementation(side: int, window: int) -> None:
    estimates, seen = torch.rand(4, 3, side, side), torch.rand(3, side, side)
    inside = np.zeros((side, side), bool)
    inside[5:-7, 9:] = True
    mask = torch.from_numpy(inside)[None, None].float()
    views, before = estimates.double().numpy(), seen.double().numpy()
    doubt = views.std(axis=0).mean(axis=0)[inside].mean()
    change = abs(views.mean(axis=0) - before).mean(axis=0)
    share = uniform_filter(inside * 1.0, window, mode="constant")
    local = uniform_filter(change * inside, window, mode="constant") / share.clip(min=1e-6)
    expected = inside * doubt ** (2 / 3) * (local + 1 / 255) ** (1 / 3)
    found = uncertainty_score(estimates, seen, mask)[0, 0]
    assert np.allclose(found.numpy(), expected, rtol=1e-4, atol=1e-6)
