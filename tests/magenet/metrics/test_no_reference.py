"""Local contrast follows detail and ignores brightness."""

import pytest
import torch

from magenet.metrics import local_contrast


def test_local_contrast_sees_detail_but_not_brightness() -> None:
    flat = torch.full((1, 3, 64, 64), 0.4)
    mask = torch.ones(1, 1, 64, 64)
    detail = flat + 0.1 * torch.randn(1, 3, 64, 64)
    assert float(local_contrast(flat, mask)) == pytest.approx(0.0, abs=1e-4)
    once, twice = (float(local_contrast(factor * detail, mask)) for factor in (0.5, 1.0))
    assert once == pytest.approx(twice, rel=1e-4)
    assert twice > 0.2
