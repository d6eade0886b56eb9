import math

import pytest
import torch
from torch import Tensor, nn

from magenet.models import EnhancerOutput
from magenet.targets import flipped_target


class Slanted(nn.Module):
    """Adds light that rises to the right of what it sees; the map is the photograph's green."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, image: Tensor) -> EnhancerOutput:
        slope = torch.linspace(-self.by, self.by, image.shape[-1])
        half = nn.functional.avg_pool2d(image, 2)
        return EnhancerOutput((half, image + slope), image[:, 1:2])


IMAGE = torch.rand(2, 3, 16, 32)


def test_views_are_flipped_back() -> None:
    """The mean of four views of an upright network is one of them, in every part."""
    target = flipped_target(Slanted(0.0), IMAGE)  # type: ignore[arg-type]  # any network will do
    plain = Slanted(0.0)(IMAGE)
    assert target.weight is None
    for found, wanted in zip(target.output.stages, plain.stages, strict=True):
        assert torch.allclose(found, wanted, atol=1e-6)
    assert target.output.structure_logits is not None
    assert plain.structure_logits is not None
    assert torch.allclose(target.output.structure_logits, plain.structure_logits, atol=1e-6)


def test_what_depends_on_the_view_cancels_and_is_doubted() -> None:
    target = flipped_target(Slanted(0.2), IMAGE, doubt=0.1)  # type: ignore[arg-type]
    assert torch.allclose(target.output.image, IMAGE, atol=1e-6)
    assert target.weight is not None
    assert target.weight.shape == (2, 1, 16, 32)
    # Two views say +x and two say -x: their standard deviation is |x|.
    assert float(target.weight[0, 0, 3, 0]) == pytest.approx(math.exp(-0.2 / 0.1), rel=1e-3)
    assert bool((target.weight[..., 15:17] > 0.9).all())
