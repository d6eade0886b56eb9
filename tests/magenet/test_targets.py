import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from data_modules.orientation import Orientation
from magenet.degradation import CounterRNG
from magenet.errors import UsageError
from magenet.models import EnhancerOutput, Window
from magenet.targets import TeacherTarget
from tests.magenet.losses.test_severity import measure


class Slanted(nn.Module):
    """Adds light that rises to the right of what it sees; the map is the photograph's green."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, image: Tensor) -> EnhancerOutput:
        slope = torch.linspace(-self.by, self.by, image.shape[-1])
        half = nn.functional.avg_pool2d(image, 2)
        return EnhancerOutput((half, image + slope), image[:, 1:2])


IMAGE = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
BATCH: Any = {
    "image": IMAGE, "mask_fov": torch.ones(2, 1, 32, 32), "name": ["one", "two"],
    "orientation": Orientation.draw(CounterRNG(torch.tensor([1, 2]))),
}  # fmt: skip


def test_views_are_flipped_back() -> None:
    """The mean of four views of an upright network is one of them, in every part."""
    target = TeacherTarget(flips=True)(Slanted(0.0), BATCH)
    plain = Slanted(0.0)(IMAGE)
    assert target.weight is None
    for found, wanted in zip(target.output.stages, plain.stages, strict=True):
        assert torch.allclose(found, wanted, atol=1e-6)
    assert torch.allclose(target.output.structure_logits, plain.structure_logits, atol=1e-6)


def test_what_depends_on_the_view_cancels_and_is_believed_less() -> None:
    target = TeacherTarget(flips=True, uncertainty_scale=0.1)(Slanted(0.2), BATCH)
    assert torch.allclose(target.output.image, IMAGE, atol=1e-6)
    assert target.weight is not None
    assert target.weight.shape == (2, 1, 32, 32)
    # Two views say +x and two say -x: their standard deviation is |x|.
    assert float(target.weight[0, 0, 3, 0]) == pytest.approx(math.exp(-0.2 / 0.1), rel=1e-3)
    assert bool((target.weight[..., 15:17] > 0.9).all())


class Marked(nn.Module):
    """Says of a photograph what its brightness is: a severity that a test can choose."""

    def forward(self, image: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(image[:, :1], 32).expand(-1, 2, -1, -1)


def test_blocks_are_believed_where_the_severity_falls() -> None:
    severity = measure()
    severity.regressor = Marked()  # type: ignore[assignment]
    target = TeacherTarget(severity=severity, block_weights=True)
    batch = BATCH | {"image": torch.full((2, 3, 32, 64), 0.5), "mask_fov": torch.ones(2, 1, 32, 64)}
    weight = target(Slanted(0.4), batch).weight
    assert weight is not None
    assert float(weight[..., 8].max()) > 0.5 > float(weight[..., 56].min())
    assert torch.allclose(target(Slanted(0.0), batch).weight, torch.tensor(0.5))


def test_the_bank_gives_the_best_target_in_the_photographs_orientation() -> None:
    severity = measure()
    severity.regressor = Marked()  # type: ignore[assignment]
    target = TeacherTarget(severity=severity, bank=True)

    class Through(nn.Module):
        def __init__(self, gain: float, contrast: float) -> None:
            super().__init__()
            self.gain, self.contrast = gain, contrast

        def forward(self, image: Tensor) -> EnhancerOutput:
            shown = 0.5 + self.contrast * (image - 0.5)
            return EnhancerOutput((shown * self.gain,))

    fine = nn.functional.interpolate(torch.rand(2, 3, 48, 48), (192, 192), mode="bicubic").clamp(
        0, 1
    )
    first: Any = BATCH | {"image": fine, "mask_fov": torch.ones(2, 1, 192, 192)}
    upright = first["orientation"].undo(fine)
    other = Orientation.draw(CounterRNG(torch.tensor([7, 8])))
    turned: Any = first | {"image": other.apply(upright), "orientation": other}

    def shown(gain: float, contrast: float, batch: Any) -> Tensor:
        return target(Through(gain, contrast), batch).output.image

    assert torch.allclose(shown(0.9, 0.5, first), 0.9 * (0.5 + 0.5 * (fine - 0.5)), atol=1e-3)
    # Darker is less severe here, but less contrast is less clear: one measure is not enough.
    kept = 0.9 * (0.5 + 0.5 * (turned["image"] - 0.5))
    assert torch.allclose(shown(0.8, 0.3, turned), kept, atol=1e-3)
    assert torch.allclose(shown(1.0, 0.9, turned), kept, atol=1e-3)
    better = 0.8 * (0.5 + 0.9 * (first["image"] - 0.5))
    assert torch.allclose(shown(0.8, 0.9, first), better, atol=1e-3)


def test_a_photograph_alone_has_no_permuted_target() -> None:
    one = {key: value[:1] for key, value in BATCH.items()}
    with pytest.raises(UsageError, match="at least two"):
        TeacherTarget(permuted=True)(Slanted(0.0), one)  # type: ignore[arg-type]  # a part of a batch


def test_permuted_targets_are_those_of_the_others() -> None:
    target = TeacherTarget(permuted=True)(Slanted(0.0), BATCH)
    assert torch.equal(target.output.image, IMAGE.flip(0))  # of two
    assert torch.equal(target.output.structure_logits, IMAGE[:, 1:2].flip(0))


def test_permuted_targets_in_windows_are_those_of_another_photograph() -> None:
    class Cut(Slanted):
        def forward(self, image: Tensor, window: Window | None = None) -> EnhancerOutput:
            return EnhancerOutput((image if window is None else window.cut(image),))

    window = Window([[(0, 0), (16, 0)], [(0, 16), (16, 16)]], 16, 16, (32, 32))
    target = TeacherTarget(permuted=True)(Cut(0.0), BATCH, window)
    assert torch.equal(target.output.image, window.cut(IMAGE).roll(2, dims=0)), "both of the other"


def test_a_permuted_target_keeps_how_far_it_is_believed() -> None:
    class Brightening(Slanted):
        """Adds more to the right of what it sees, in proportion to the photograph."""

        def forward(self, image: Tensor) -> EnhancerOutput:
            return EnhancerOutput((image * (1 + torch.linspace(0.0, self.by, image.shape[-1])),))

    plain, permuted = (
        TeacherTarget(flips=True, uncertainty_scale=0.1, permuted=way)(Brightening(0.3), BATCH)
        for way in (False, True)
    )
    assert plain.weight is not None
    assert permuted.weight is not None
    assert not torch.allclose(plain.weight[0], plain.weight[1], atol=1e-3)
    assert torch.equal(permuted.weight, plain.weight.flip(0))


def test_ways_that_lack_something_are_refused() -> None:
    with pytest.raises(ValueError, match="needs flips"):
        TeacherTarget(uncertainty_scale=0.1)
    with pytest.raises(ValueError, match="severity"):
        TeacherTarget(bank=True)
    with pytest.raises(ValueError, match="severity"):
        TeacherTarget(block_weights=True)


def test_what_sees_whole_photographs_is_refused_in_windows() -> None:
    window = Window([[(0, 0)], [(0, 0)]], 16, 16, (32, 32))
    for target in (
        TeacherTarget(flips=True, uncertainty_scale=0.1),
        TeacherTarget(severity=measure()),
    ):
        with pytest.raises(UsageError, match="in windows"):
            target(Slanted(0.0), BATCH, window)
