import json
from pathlib import Path

import pytest
import torch

from data_modules.datasets.phantom import draw_phantom
from experiments.studies import degradation_calibration as calibration
from magenet.degradation import CounterRNG, FundusDegradation
from magenet.metrics import appearance

pytestmark = pytest.mark.usefixtures("workplace")


def drawn(count: int) -> calibration.Photographs:
    phantoms = [draw_phantom(seed, 64) for seed in range(count)]
    return calibration.Photographs(
        torch.stack([p.image for p in phantoms]),
        torch.stack([p.field.mask for p in phantoms]),
        [str(seed // 2) for seed in range(count)],
    )


def test_the_report_compares_the_photographs_of_each_quality(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the manifest, each of four sets has one good and one usable photograph in each part."""
    monkeypatch.setattr(calibration, "SIZE", 64)
    monkeypatch.setattr(calibration, "PUBLISHED", {64: calibration.PUBLISHED[512]})
    manifest = str(photographs / "index.csv")
    assert calibration.main(["--photographs", manifest, "--out", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out/calibration.json").read_text())
    for row in report["do_nothing"]:
        assert row["photographs"] == 4
        assert row["psnr_frame"] > row["psnr_field"], "the black surround always matches"
    for part in ("train", "val"):
        assert report[f"counts_{part}"] == {"good": 1, "bad": 1}
        for label, quality in (("good", "good"), ("real", "usable")):
            (image,), (mask,), _ = calibration.load(manifest, part, [quality], ["hygd"])
            expected = appearance(image[None].float() / 255 * mask, mask[None].float())
            for row in report[f"distances_{part}"]:
                value = pytest.approx(float(expected[row["statistic"]]), abs=1e-3)
                assert row[f"{label}_10_50_90"] == [value] * 3
    assert "| brightness |" in (tmp_path / "out/calibration.md").read_text()


def test_the_recipe_that_made_the_photographs_is_the_closest() -> None:
    images, masks, patients = good = drawn(12)
    same = calibration.distances(good, good)
    assert [row["distance_good"] for row in same] == [0.0] * len(same)
    degraded = FundusDegradation()(
        images.float() / 255 * masks, masks.float(), CounterRNG(torch.arange(12) + 500)
    )
    bad = calibration.Photographs((255 * degraded).round().to(torch.uint8), masks, patients)
    rows = calibration.distances(good, bad)
    mean = {
        label: sum(float(str(row[f"distance_{label}"])) for row in rows) / len(rows)
        for label in ("good", "cofe", "fundus")
    }
    assert mean["fundus"] < min(mean["good"], mean["cofe"])


def test_patients_are_drawn_with_all_their_photographs() -> None:
    patients = ["b", "a", "b", "c", "a", "b"]
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        chosen = calibration.resampled(patients, generator).tolist()
        counts = [chosen.count(index) for index in range(6)]
        assert counts[0] == counts[2] == counts[5]
        assert counts[1] == counts[4]
        assert counts[0] + counts[1] + counts[3] == 3


@pytest.mark.parametrize(
    ("fundus", "interval", "expected"),
    [(0.2, [0.1, 0.5], "fundus"), (0.2, [-0.1, 0.7], "fundus, within chance"),
     (0.8, [-0.5, -0.1], "cofe"), (0.8, [-0.7, 0.1], "cofe, within chance")],
)  # fmt: skip
def test_a_recipe_is_closer_beyond_chance_if_the_interval_excludes_zero(
    fundus: float, interval: list[float], expected: str
) -> None:
    row: dict[str, object] = {"distance_cofe": 0.5, "distance_fundus": fundus}
    assert calibration.closer_recipe(row | {"cofe_less_fundus_95": interval}) == expected
