"""A camera that does not exist."""

from pathlib import Path

import pytest

from data_modules.files.writing import write_photograph
from magenet.adaptation.survey import MINIMUM_PHOTOGRAPHS
from tests.magenet.conftest import retina


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("camera")
    for seed in range(MINIMUM_PHOTOGRAPHS):
        write_photograph(retina(seed, 160), folder / f"{seed:02}.png")
    return folder
