import math

import pytest
import torch

from magenet.errors import UserError
from magenet.losses import DirectionLoss, SeverityMeasure
from magenet.models import SeverityRegressor
from magenet.models.severity import severity


def measure() -> SeverityMeasure:
    torch.manual_seed(3)
    return SeverityMeasure(SeverityRegressor(widths=(8, 8, 8, 8, 8)))


MASK = torch.ones(2, 1, 64, 64)
IMAGE = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_direction_asks_for_half_of_the_error_and_no_more() -> None:
    frozen = measure()
    loss = DirectionLoss(frozen)
    assert float(loss(IMAGE, IMAGE, MASK)) == pytest.approx(2 * math.log(2.0))
    head = frozen.regressor.head
    with torch.no_grad():
        head.weight.zero_()
    assert float(loss(IMAGE, IMAGE, MASK)) == pytest.approx(2 * math.log(2.0))

    class Fallen(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.full((2, 2, 2, 2), 0.0 if float(image.mean()) > 0.25 else -0.7)

    frozen.regressor = Fallen()  # type: ignore[assignment]
    assert float(loss(0.2 * IMAGE, IMAGE, MASK)) == 0.0


def test_its_gradient_reaches_the_enhanced_photograph_alone() -> None:
    loss = DirectionLoss(measure())
    enhanced = IMAGE.clone().requires_grad_(True)
    photograph = IMAGE.clone().requires_grad_(True)
    loss(enhanced, photograph, MASK).backward()  # type: ignore[no-untyped-call]
    assert enhanced.grad is not None
    assert float(enhanced.grad.abs().sum()) > 0.0
    assert photograph.grad is None
    assert all(parameter.grad is None for parameter in loss.measure.parameters())


def test_severity_is_read_inside_the_field() -> None:
    frozen = measure()
    mask = MASK.clone()
    mask[..., 32:] = 0.0
    logarithms = frozen(IMAGE)
    changed = logarithms.clone()
    changed[..., 1:] = 9.0
    assert torch.equal(severity(changed, mask), severity(logarithms, mask))
    assert not torch.equal(severity(changed, MASK), severity(logarithms, MASK))


def test_a_missing_checkpoint_is_named() -> None:
    frozen = SeverityMeasure(SeverityRegressor(), "runs/nowhere.ckpt")
    with pytest.raises(UserError, match=r"runs/nowhere.ckpt.*severity.yaml"):
        frozen.load()
