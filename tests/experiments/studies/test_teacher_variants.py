from pathlib import Path

import pytest

from experiments.studies import teacher_variants as variants
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("workplace")


@pytest.mark.slow
def test_each_variant_is_trained_and_tested_once(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of them suffice."""
    Path("experiments").symlink_to(ROOT / "experiments")
    monkeypatch.setattr(variants, "VARIANTS", dict(list(variants.VARIANTS.items())[:2]))
    layer = """
trainer: {max_steps: 2, val_check_interval: 2, limit_test_batches: 2, limit_val_batches: 2}
model:
  init_args:
    start: null
    network: {class_path: magenet.models.MAGENet.from_name, init_args: {name: tiny}}
data: {init_args: {batch_size: 2, workers: 0}}
"""
    Path("try.yaml").write_text(layer)
    command = ["--results", ".", "--layer", "try.yaml"]
    assert variants.main(command) == 0
    page = Path("teacher.md").read_text()
    assert "| no consistency, teacher |" in page
    assert "| as in the tables, student |" in page
    checkpoint = Path("runs/teacher/variant1/checkpoints/best.ckpt")
    before = checkpoint.stat().st_mtime
    assert variants.main(command) == 0
    assert checkpoint.stat().st_mtime == before, "not trained again"
    configs = [Path(f"runs/teacher/variant{n}/config.yaml").read_text() for n in (0, 1)]
    assert "consistency_weight: 0.0" in configs[0]
    assert "consistency_weight: 0.2" in configs[1]
