"""A calibration curve is the line through its points."""

import numpy as np
import pytest
import torch

from magenet.enhancement.calibration_curve import CalibrationCurve


@pytest.mark.parametrize(
    ("x", "y"), [((0.0, 1.0), (0.2, 0.4)), ((-1.0, 0.0, 0.5, 3.0), (0.0, 0.1, 0.7, 0.9))]
)
def test_it_interpolates_and_is_constant_beyond_its_ends(
    x: tuple[float, ...], y: tuple[float, ...]
) -> None:
    values = torch.linspace(-2.0, 4.0, 121).view(1, 11, 11)
    expected = torch.from_numpy(np.interp(values.numpy(), x, y)).float()
    torch.testing.assert_close(CalibrationCurve(x, y)(values), expected)
    ends = CalibrationCurve(x, y)(torch.tensor(x))
    torch.testing.assert_close(ends, torch.tensor(y))
