"""A segmenter without weights, and a batch of one photograph."""

import pytest
from torch import Tensor, nn

from data_modules.datasets.phantom import Phantom, draw_phantom
from magenet.evaluation.judge import Batch


class Darkness(nn.Module):
    """A segmenter without weights: pixels darker in green than their surround are vessels."""

    def forward(self, image: Tensor) -> Tensor:
        green = image[:, 1:2]
        return 200.0 * (nn.functional.avg_pool2d(green, 15, 1, 7) - green - 0.02)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return draw_phantom(3, 160)


@pytest.fixture
def batch(phantom: Phantom) -> Batch:
    image = phantom.image[None].float() / 255
    mask = phantom.field.mask[None].float()
    return {"image": image * mask, "image_clean": image * mask, "mask_fov": mask}


def only(scores: dict[str, Tensor], name: str) -> float:
    return float(scores[name][0])
