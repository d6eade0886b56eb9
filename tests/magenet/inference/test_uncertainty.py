import torch

from magenet.inference.uncertainty import Calibration, doubt, smoothed

MASK = torch.ones(1, 1, 64, 64)
MASK[..., :, :20] = 0


def test_smoothing_does_not_see_beyond_the_field() -> None:
    plane = torch.full((1, 1, 64, 64), 0.25)
    plane[..., :, :20] = 9.0
    result = smoothed(plane, MASK)
    torch.testing.assert_close(result, 0.25 * MASK)


def test_estimates_that_agree_leave_no_doubt() -> None:
    estimate = torch.rand(1, 3, 64, 64)
    assert float(doubt(estimate.expand(4, -1, -1, -1), 0 * estimate[0], MASK).max()) < 1e-4


def test_doubt_grows_with_disagreement_and_is_where_the_change_is() -> None:
    seen = torch.zeros(3, 64, 64)
    estimates = torch.zeros(2, 3, 64, 64)
    estimates[:, :, :, 40:] = 0.2
    estimates[0] += 0.01
    calm = doubt(estimates, seen, MASK)[0, 0]
    assert float(calm[:, 44:].min()) > 2 * float(calm[:, 22:36].max())
    assert float(calm[:, :20].max()) == 0.0, "outside the field there is nothing to doubt"
    estimates[1] -= 0.03
    assert bool((doubt(estimates, seen, MASK)[0, 0] > calm)[:, 20:].all())


def test_a_calibration_gives_the_error_that_was_measured() -> None:
    """Errors drawn about a known curve come back as the curve, and never fall."""
    generator = torch.Generator().manual_seed(0)
    doubt = torch.rand(20000, generator=generator) * 0.1
    error = 0.01 + 3 * doubt**2 + 0.01 * torch.rand(20000, generator=generator)
    line = Calibration.fitted(doubt, error)
    middle = torch.linspace(0.01, 0.09, 9)
    torch.testing.assert_close(line(middle), 0.015 + 3 * middle**2, atol=1.5e-3, rtol=0)
    assert bool((line(torch.linspace(-1, 1, 500)).diff() >= 0).all())


def test_doubt_that_is_all_alike_still_gives_a_line() -> None:
    line = Calibration.fitted(torch.linspace(0, 1, 24).round(), torch.full((24,), 0.02))
    torch.testing.assert_close(line(torch.tensor([0.0, 0.5, 1.0])), torch.full((3,), 0.02))
