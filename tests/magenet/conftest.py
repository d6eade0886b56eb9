"""Weights that are quick to use: tiny networks that change photographs a little."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from data_modules.datasets.phantom import draw_phantom
from data_modules.datasets.photographs import cut_to_field
from magenet.enhancement.calibration_curve import CalibrationCurve
from magenet.enhancement.fundus_check import CHECK_SIZE, FundusCheck, image_statistics
from magenet.enhancement.settings import Settings
from magenet.imaging.field_of_view import estimate_field
from magenet.models import MAGENet
from tests.magenet.models.test_detail import SMALL
from tests.magenet.models.test_mage_net import TINY

SIZE = 128

ALL, NOTHING = CalibrationCurve((0.0, 1.0), (1.0, 1.0)), CalibrationCurve((0.0, 1.0), (0.0, 0.0))
"""Shares of a change of light that are applied, whatever its size."""


def retina(seed: int, side: int = 200) -> Tensor:
    """Return a drawn retina, uint8 `(3, side, side)`."""
    return draw_phantom(seed, side).image


@pytest.fixture(scope="session")
def fundus_check() -> FundusCheck:
    """How drawn retinas look."""
    rows = []
    for seed in range(24):
        image = retina(seed)
        sample = cut_to_field(image, estimate_field(image), CHECK_SIZE)
        mask = sample["mask_fov"][None].float()
        rows.append(image_statistics(sample["image"][None] / 255 * mask, mask))
    return FundusCheck.fit([torch.cat(rows)], 40.0)


@pytest.fixture(scope="session")
def weights(fundus_check: FundusCheck, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a tiny network as a folder."""
    torch.manual_seed(0)
    settings = Settings(SIZE, fundus_check, ALL, CalibrationCurve((0.0, 0.1), (0.01, 0.2)))
    return saved(MAGENet(**TINY), settings, tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def own_scale_weights(fundus_check: FundusCheck, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a tiny network that works at the photographs' own scale, as a folder."""
    torch.manual_seed(0)
    settings = Settings((96, SIZE), fundus_check, uncertainty=ALL, harm=ALL)
    return saved(MAGENet(**SMALL), settings, tmp_path_factory.mktemp("own_scale_weights"))


def saved(network: MAGENet, settings: Settings, folder: Path) -> Path:
    """Save a network that says something about the light."""
    for head in network.correct:
        torch.nn.init.normal_(head.head.weight, std=0.03)  # type: ignore[union-attr, arg-type]
    network.use.update(settings.as_config())
    network.save_pretrained(folder)
    return folder


@pytest.fixture
def terminal() -> Iterator[None]:
    """Let SIGHUP end the process, as in a terminal, also where the tests are run by nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)
