from pathlib import Path

import pytest
import torch

from experiments.studies import teacher_errors as errors
from magenet.models import MAGENet

pytestmark = pytest.mark.usefixtures("workplace")


def test_with_equal_views_the_supervised_gradient_is_the_reference(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = MAGENet.from_name("compact")
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": weights}, "network.ckpt")
    small = ["--checkpoint", "network.ckpt", "--size", "64", "--batch", "2", "--results", "."]
    monkeypatch.setattr(errors, "StrongView", lambda: lambda image, mask, rng: image)
    errors.main(small)
    lines = Path("teacher_errors.md").read_text().splitlines()
    supervised = next(line for line in lines if line.startswith("| same views"))
    assert supervised.endswith("| 1.00 [1.00, 1.00] |")
