import os
import sys
from pathlib import Path

import pytest
import torch

from data_modules.datasets.phantom import Phantom, draw_phantom

torch.set_num_threads(1)  # the tensors are tiny, and the machine may be busy

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def plain_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """LightningCLI warns when it runs inside a process with arguments of its own."""
    monkeypatch.setattr(sys, "argv", ["magenet"])
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    return draw_phantom(3, 96)


@pytest.fixture(scope="session")
def photographs() -> Path:
    """The folder of real photographs, where the machine has them."""
    folder = os.environ.get("MAGENET_DATA")
    if not folder or not (Path(folder) / "index.csv").is_file():
        pytest.skip("needs the real photographs: set MAGENET_DATA to the folder of index.csv")
    return Path(folder)
