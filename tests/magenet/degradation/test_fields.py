"""Fields of light against their definitions, pixel by pixel."""

import pytest
import torch

from magenet.degradation.fields import (
    CELL,
    GRID,
    blurred,
    disc,
    enlarge,
    odd,
    smoothed,
    soft_discs,
    truncated_gaussian,
)

CENTRES = (torch.arange(GRID) + 0.5) * CELL - 0.5
"""Reference pixels of the cells' centres."""


def test_odd_rounds_down_and_then_up_to_odd() -> None:
    assert odd(torch.tensor([0.0, 1.0, 1.9, 2.0, 3.9, 4.2])).tolist() == [1, 1, 1, 3, 3, 5]


def test_a_disc_has_its_centre_and_diameter() -> None:
    x, y, diameter = (
        torch.tensor([200.0, 300.0]),
        torch.tensor([140.0, 290.0]),
        torch.tensor([90.0, 160.0]),
    )
    found = disc(x, y, diameter)
    area = found.sum(dim=(1, 2)) * CELL**2
    assert torch.allclose(area, torch.pi * diameter**2 / 4, rtol=0.01)
    assert torch.allclose((found.sum(dim=1) * CENTRES).sum(dim=1) * CELL**2 / area, x, atol=0.2)
    assert torch.allclose((found.sum(dim=2) * CENTRES).sum(dim=1) * CELL**2 / area, y, atol=0.2)


def test_a_field_is_enlarged_about_the_centres_of_its_cells() -> None:
    ramp = CENTRES.expand(1, GRID, GRID)
    for field, axis in ((ramp, 3), (ramp.mT, 2)):
        for height, width in ((512, 384), (200, 1024), (64, 96)):
            wide = enlarge(field, height, width)
            assert wide.shape == (1, 1, height, width)
            count = wide.shape[axis]
            true = (torch.arange(count) + 0.5) * 512 / count - 0.5
            found = wide[0, 0, 5] if axis == 3 else wide[0, 0, :, 5]
            inside = slice(count // 20, -count // 20)
            assert torch.allclose(found[inside], true[inside], atol=0.1)


def test_a_blur_spreads_by_the_variance_of_its_kernel_along_each_axis() -> None:
    dot = torch.zeros(2, GRID, GRID)
    dot[:, 60, 70] = 1.0
    sigma, kernel_x, kernel_y = (
        torch.tensor([40.0, 25.0]),
        torch.tensor([161.0, 99.0]),
        torch.tensor([81.0, 61.0]),
    )
    found = blurred(dot, kernel_x, kernel_y, sigma)
    assert torch.allclose(found.sum(dim=(1, 2)), torch.ones(2))
    pixels = torch.arange(-200, 201)
    for kernel, profile, centre in (
        (kernel_x, found.sum(dim=1), 70),
        (kernel_y, found.sum(dim=2), 60),
    ):
        weights = truncated_gaussian(kernel, sigma, pixels, 1.0)
        variance = (weights * pixels**2).sum(dim=1) / weights.sum(dim=1)
        cells = (torch.arange(GRID) - centre) * CELL
        assert torch.allclose((profile * cells**2).sum(dim=1), variance, rtol=0.02)


def test_a_blur_at_the_border_is_mirrored_and_keeps_flat_fields() -> None:
    flat = torch.full((1, GRID, GRID), 0.3)
    size, sigma = torch.tensor([141.0]), torch.tensor([50.0])
    assert torch.allclose(blurred(flat, size, size, sigma), flat, atol=1e-6)


def test_smoothing_spreads_by_sigma_and_keeps_the_sum() -> None:
    dot = torch.zeros(1, 3, GRID, GRID)
    dot[..., 60, 70] = 1.0
    found = smoothed(dot, torch.tensor([5.0]), torch.tensor([9.0]))[0, 1]
    assert float(found.sum()) == pytest.approx(1.0, abs=1e-4)
    for profile, centre, sigma in ((found.sum(dim=0), 70, 5.0), (found.sum(dim=1), 60, 9.0)):
        cells = torch.arange(GRID) - centre
        assert float((profile * cells**2).sum()) == pytest.approx(sigma**2, rel=0.01)


def test_soft_discs_are_the_sum_of_their_ramps() -> None:
    torch.manual_seed(0)
    height, width = 40, 56
    x, y = torch.rand(2, 4) * 60 - 2, torch.rand(2, 4) * 44 - 2  # some beyond the frame
    radius, edge = torch.rand(2, 4) * 5 + 1, torch.rand(2, 4) * 4
    strength = torch.rand(2, 4) - 0.3
    columns, rows = torch.arange(width) + 0.5, torch.arange(height)[:, None] + 0.5
    expected = torch.zeros(2, 1, height, width)
    for sample in range(2):
        for k in range(4):
            distance = torch.hypot(columns - x[sample, k], rows - y[sample, k])
            ramp = (radius[sample, k] - distance) / max(1.0, float(edge[sample, k])) + 0.5
            expected[sample, 0] += ramp.clamp(0, 1) * strength[sample, k]
    found = soft_discs((height, width), x, y, radius, edge, strength, 17.0)
    assert torch.allclose(found, expected, atol=1e-5)
