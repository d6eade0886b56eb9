"""Segmenters: a logit for each pixel, in its place."""

import pytest
import torch
from torch import nn

from magenet.models import DilatedSegmenter, VesselSegmenter

SEGMENTERS = {
    "every pixel": lambda: VesselSegmenter(8, 4, 1),
    "half the resolution": lambda: VesselSegmenter(8, 4, 1, stride=2),
    "dilated": lambda: DilatedSegmenter(8, (1, 2)),
}


@pytest.fixture(params=SEGMENTERS)
def segmenter(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return SEGMENTERS[request.param]().eval()


@pytest.mark.parametrize(("row", "column"), [(20, 31), (33, 12)])
def test_what_changes_at_a_pixel_changes_the_logits_around_it(
    segmenter: nn.Module, row: int, column: int
) -> None:
    image = torch.full((1, 3, 47, 61), 0.5)
    changed = image.clone()
    changed[..., row - 1 : row + 2, column - 1 : column + 2] = 1.0
    with torch.no_grad():
        change = (segmenter(changed) - segmenter(image))[0, 0].abs()
    assert change.shape == (47, 61), "no multiple of any level"
    assert change[row - 2 : row + 3, column - 2 : column + 3].mean() > 5 * change.mean()


def test_pixels_of_one_feature_have_logits_of_their_own() -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        logits = VesselSegmenter(8, 4, 1, stride=2)(torch.rand(1, 3, 32, 32))
    assert (logits[..., ::2, :] - logits[..., 1::2, :]).std() > 1e-3
    assert (logits[..., ::2] - logits[..., 1::2]).std() > 1e-3
