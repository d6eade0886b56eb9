import shutil
from pathlib import Path

import pytest
import torch

from experiments.studies.adaptation import screen
from magenet.losses import SeverityMeasure
from magenet.models import MAGENet, SeverityRegressor

pytestmark = pytest.mark.usefixtures("workplace")


def saved(network: torch.nn.Module, path: Path) -> None:
    path.parent.mkdir(parents=True)
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": weights}, path)


@pytest.mark.slow
def test_every_term_is_in_the_report(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(photographs, Path("photographs"))
    heading, *lines = (folder / "index.csv").read_text().splitlines()
    text = "\n".join([heading, *(line for line in lines if line.startswith("hygd,"))])
    text = text.replace(",train,", ",val,").replace(",usable", ",good")  # two batches of two
    (folder / "index.csv").write_text(text)
    monkeypatch.setenv("MAGENET_DATA", str(folder.absolute()))
    saved(MAGENet.from_name("compact"), Path("runs/adaptation/source/checkpoints/best.ckpt"))
    saved(SeverityRegressor(), Path("runs/adaptation/severity/checkpoints/best.ckpt"))
    screen.main(["--size", "64", "--batch", "2", "--draws", "3", "--results", "."])
    text = Path("adaptation_screen.md").read_text()
    for label in (*screen.TERMS, "direction", screen.OTHER):
        assert f"| {label} | " in text


def pairs(shift: float) -> dict[str, object]:
    clean = 0.3 + 0.3 * torch.rand(2, 3, 64, 64)
    return {
        "image_clean": clean, "image_degraded": clean + shift,
        "mask_fov": torch.ones(2, 1, 64, 64), "name": ["one", "two"],
    }  # fmt: skip


def test_with_equal_views_the_supervised_gradient_is_the_reference() -> None:
    torch.manual_seed(0)
    network = MAGENet.from_name("tiny").eval()
    measure = SeverityMeasure(SeverityRegressor(widths=(8, 8, 8, 8, 8)))
    found = screen.Screen(network, measure, lambda image, mask, rng: image)
    for _ in range(2):
        found.add(pairs(0.1), rng=None)  # type: ignore[arg-type]
    assert found.found["supervised"] == pytest.approx([1.0, 1.0], abs=1e-4)
    # Teacher and student agree, so there is nothing to learn from each other.
    assert found.found["difference"] == pytest.approx([0.0, 0.0], abs=1e-4)
    assert found.found["target"] == pytest.approx([25.5, 25.5], abs=0.2)
    assert len(found.found[screen.OTHER]) == 1
    assert all(abs(value) <= 1.0 + 1e-5 for value in found.found["direction"])
