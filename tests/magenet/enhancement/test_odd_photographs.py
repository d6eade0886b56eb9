"""Pictures of no eye, and sizes that few cameras have, by a network at their own scale."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.fundus_check import NotAFundusError
from tests.magenet.conftest import retina


@pytest.fixture
def enhancer(own_scale_weights: Path) -> PhotographEnhancer:
    return PhotographEnhancer.from_pretrained(own_scale_weights, torch.device("cpu"), 1 << 36)


def noise() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, 200, 240), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize(
    "image",
    [
        torch.zeros(3, 200, 240, dtype=torch.uint8),
        torch.full((3, 200, 240), 255, dtype=torch.uint8),
        torch.tensor([180, 60, 20], dtype=torch.uint8)[:, None, None].expand(3, 200, 240),
        noise(),
        torch.zeros(3, 40, 40, dtype=torch.uint8),
    ],
    ids=["black", "white", "one colour", "noise", "small and black"],
)
def test_what_shows_no_eye_is_refused_and_if_forced_keeps_its_size(
    enhancer: PhotographEnhancer, image: Tensor
) -> None:
    with pytest.raises(NotAFundusError):
        enhancer(image)
    result = enhancer(image, force=True)
    assert result.image.shape == image.shape
    assert result.image.dtype == image.dtype
    assert bool(np.isfinite(result.uncertainty().numpy()).all())


@pytest.mark.parametrize("side", [40, 64, pytest.param(8192, marks=pytest.mark.slow)])
def test_a_retina_of_any_size_is_enhanced(enhancer: PhotographEnhancer, side: int) -> None:
    drawn = retina(3, min(side, 512))
    small = Image.fromarray(drawn.permute(1, 2, 0).numpy())
    image = torch.from_numpy(np.array(small.resize((side, side)))).permute(2, 0, 1)
    result = enhancer(image, force=True)
    assert result.image.shape == image.shape
    inside = result.field.mask.expand_as(image)
    assert torch.equal(result.image[~inside], image[~inside])
    assert not torch.equal(result.image, image)
