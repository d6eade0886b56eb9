"""The ablation of the release: what each variant undoes, and that it runs."""

from pathlib import Path

import pytest
import torch

from experiments.studies.evidence import __main__ as evidence
from experiments.studies.release import ablation
from experiments.studies.release.ablation import EncodedBlur
from magenet.degradation import CounterRNG, FundusDegradation
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("workplace")


def test_a_blur_of_encoded_values_spreads_light_less_than_one_of_light() -> None:
    """A small bright spot stays brighter in all where light itself is spread."""
    image = torch.zeros(1, 3, 64, 64)
    image[..., 30:34, 30:34] = 1.0
    mask = torch.ones(1, 1, 64, 64)
    linear, encoded = FundusDegradation(mix={"blur": [1, 1, 1]}), EncodedBlur()
    encoded.mix = linear.mix
    results = [recipe(image.clone(), mask, CounterRNG(torch.tensor([3])))
               for recipe in (linear, encoded)]  # fmt: skip
    means = [float(result.mean()) for result in results]
    assert means[1] == pytest.approx(float(image.mean()), rel=0.02)
    assert means[0] > 1.1 * means[1]


@pytest.mark.slow
def test_each_variant_is_trained_once_and_measured(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("experiments").symlink_to(ROOT / "experiments")
    layer = """
trainer: {max_steps: 2, val_check_interval: 2, limit_val_batches: 2, enable_progress_bar: false}
model:
  init_args:
    start: null
    structure_target:
      class_path: magenet.losses.SegmenterTarget
      init_args:
        segmenter:
          class_path: magenet.models.VesselSegmenter
          init_args: {width: 32, growth: 16, stride: 2}
        checkpoint: experiments/weights/structure.ckpt
    network: {init_args: {widths: [8, 8, 8, 8], blocks: [1, 1, 1, 1], guide_width: 8,
                          detail_widths: [8, 8, 8], context_size: 64}}
data: {init_args: {workers: 0, image_size: 64, least_size: 64, window_size: 32, windows: 1}}
"""
    Path("try.yaml").write_text(layer)
    monkeypatch.setattr(ablation, "VARIANTS", {
        name: ablation.VARIANTS[name] for name in ("all", "loss sees light", "light not held back")
    })  # fmt: skip
    rows = [("hrf", {"patient": [name]}, {"good": 1.0}) for name in ("one", "two")]
    monkeypatch.setattr(evidence, "MEASURES", {"harm": lambda enhance, count: iter(rows)})
    command = ["--results", ".", "--layer", "try.yaml", "--parts", "harm", "--only"]
    assert ablation.main([*command, "all", "loss sees light", "light not held back"]) == 0
    page = Path("ablation_release/README.md").read_text()
    assert "| | score | loss sees light | light not held back | all |" in page
    folders = sorted(
        path.parent.name for path in Path("runs/ablation_release").glob("*/checkpoints")
    )
    assert folders == ["all_0", "loss_sees_light_0"]
    checkpoint = Path("runs/ablation_release/all_0/checkpoints/best.ckpt")
    before = checkpoint.stat().st_mtime
    monkeypatch.setattr(evidence, "MEASURES", {})
    assert ablation.main([*command, "all"]) == 0, "neither trained nor measured again"
    assert checkpoint.stat().st_mtime == before
    monkeypatch.setattr(evidence, "MEASURES", {"harm": lambda enhance, count: iter(rows[:1])})
    assert ablation.main(["--count", "1", *command, "all"]) == 0
    table = Path("ablation_release/scores.csv").read_text()
    assert table.count(",all,") == 1, "of another count: measured anew"
    assert table.count(",loss sees light,") == 2
    config = Path("runs/ablation_release/loss_sees_light_0/config.yaml").read_text()
    assert "detail_weight: 0.001" in config
