from pathlib import Path

import pytest
import torch

from experiments.studies import teacher_errors as errors
from magenet.models import MAGENet

pytestmark = pytest.mark.usefixtures("workplace")


def test_what_a_consistency_step_is_worth(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With equal views, the gradient on the strong view is that on the weak view."""
    network = MAGENet(
        [32, 64, 64, 96], [1, 2, 1, 1], original_width=32, original_groups=2, original_blocks=2,
        guide_width=16,
    )  # fmt: skip
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": weights}, "network.ckpt")
    small = ["--checkpoint", "network.ckpt", "--size", "64", "--batch", "2", "--results", "."]
    monkeypatch.setattr(errors, "StrongView", lambda: lambda image, mask, rng: image)
    errors.main(small)
    lines = Path("teacher_errors.md").read_text().splitlines()
    supervised = next(line for line in lines if line.startswith("| same views"))
    assert supervised.endswith("| 1.00 [1.00, 1.00] |")
