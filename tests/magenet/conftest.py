"""Weights that are quick to use: a tiny network that changes photographs a little."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from data_modules.datasets.phantom import draw_phantom
from data_modules.datasets.photographs import cut_to_field
from magenet.enhancement.calibration_curve import Line
from magenet.enhancement.enhancer import LOOKS_SIZE, Settings
from magenet.enhancement.fundus_check import Looks, described
from magenet.imaging.field_of_view import estimate_field
from magenet.models import MAGENet
from tests.magenet.models.test_mage_net import TINY

SIZE = 128

ALL, NOTHING = Line((0.0, 1.0), (1.0, 1.0)), Line((0.0, 1.0), (0.0, 0.0))
"""Shares of a change of light that are applied, whatever its size."""


def retina(seed: int, side: int = 200) -> Tensor:
    """Return a drawn retina, uint8 `(3, side, side)`."""
    return draw_phantom(seed, side).image


@pytest.fixture(scope="session")
def looks() -> Looks:
    """How drawn retinas look."""
    rows = []
    for seed in range(24):
        image = retina(seed)
        sample = cut_to_field(image, estimate_field(image), SIZE)
        mask = sample["mask_fov"][None].float()
        # Seen as the enhancer sees it: at its size, then at that of the looks.
        seen = functional.interpolate(
            sample["image"][None] / 255 * mask, (LOOKS_SIZE, LOOKS_SIZE), mode="bilinear",
            antialias=True,
        )  # fmt: skip
        mask = (functional.interpolate(mask, (LOOKS_SIZE, LOOKS_SIZE), mode="area") >= 0.5).float()
        rows.append(described(seen * mask, mask))
    return Looks.fitted(torch.cat(rows), 40.0)


@pytest.fixture(scope="session")
def weights(looks: Looks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a tiny network as a folder."""
    torch.manual_seed(0)
    network = MAGENet(**TINY)
    for head in network.correct:
        torch.nn.init.normal_(head.head.weight, std=0.03)  # type: ignore[union-attr, arg-type]
    settings = Settings(SIZE, ALL, Line((0.0, 0.1), (0.01, 0.2)), looks)
    network.use.update(settings.as_use())
    folder = tmp_path_factory.mktemp("weights")
    network.save_pretrained(folder)
    return folder
