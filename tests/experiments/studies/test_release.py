"""The release: a network is published with its calibration."""

import json
from pathlib import Path

import pytest
import torch
import yaml

from experiments.checkpoints import load_network
from experiments.configurations import BASE, CONFIGS, WEIGHTS
from experiments.studies import input_sizes
from experiments.studies.release import __main__ as release
from experiments.studies.release.calibration import cross_fitted, curve_rows, fit_curve, flag_rows
from experiments.studies.release.measurement import Measured
from magenet.enhancement.settings import OWN_SCALE, Settings
from magenet.errors import UserError
from magenet.main import main
from magenet.models import MAGENet, VesselSegmenter
from tests.command_line import configs, segmenter_for

pytestmark = pytest.mark.usefixtures("workplace")


@pytest.mark.slow
def test_the_trained_network_is_published_with_its_calibration(photographs: Path) -> None:
    light = CONFIGS / "runs/release/light.yaml"
    target = segmenter_for(yaml.safe_load(light.read_text())["model"]["init_args"])
    network = {"widths": [8] * 4, "blocks": [1] * 4, "guide_width": 8, "detail_widths": [8, 8, 8]}
    Path("tiny.yaml").write_text(
        yaml.safe_dump({"model": {"init_args": {"network": {"init_args": network}}}})
    )
    small = [*configs("tiny.yaml", "limits.yaml", "small.yaml"), "--data.window_size", "32"]
    assert main(["fit", *configs(BASE, light), *small, *target]) == 0
    checkpoint = Path("runs/release_light/checkpoints/best.ckpt")
    release.main(["--checkpoint", str(checkpoint), "--out", "weights", "--results", "."])
    network = MAGENet.from_pretrained("weights/mage_net")
    segmenter = VesselSegmenter.from_pretrained("weights/vessels")
    for published, source in ((network, checkpoint), (segmenter, WEIGHTS / "vessels.ckpt")):
        trained = torch.load(source, weights_only=True)["state_dict"]
        for name, value in published.state_dict().items():
            torch.testing.assert_close(value, trained["network." + name].to(value.dtype))
    settings = Settings.of(network)
    assert settings.size == OWN_SCALE
    report = Path("uncertainty.md").read_text()
    for curve, x, y in ((settings.harm, 1, 1), (settings.uncertainty, 255, 255)):
        assert curve is not None
        assert "\n".join(curve_rows(curve, x, y)) in report
    assert settings.light is None
    config = Path("weights/mage_net/config.json")
    known = json.loads(config.read_text())
    fitted = known["use"].pop("harm"), known["use"].pop("uncertainty")
    config.write_text(
        json.dumps(known | {"use": {**known["use"], "harm": None, "uncertainty": None}})
    )
    release.main(["--recalibrate", "--out", "weights", "--results", "."])
    again = json.loads(config.read_text())
    assert fitted == (again["use"].pop("harm"), again["use"].pop("uncertainty"))
    assert again == known
    kept = MAGENet.from_pretrained("weights/mage_net").state_dict()
    torch.testing.assert_close(dict(kept), dict(network.state_dict()), rtol=0, atol=0)
    sizes = ["--weights", "weights/mage_net", "--sizes", "64", "96", "--results", "."]
    input_sizes.main([*sizes, "--count", "1"])
    assert Path("input_size.md").read_text().count("px |") == 2


def test_a_release_without_a_checkpoint_publishes_nothing() -> None:
    with pytest.raises(UserError, match=r"none\.ckpt: no such checkpoint"):
        release.main(["--checkpoint", "none.ckpt", "--out", "weights", "--results", "."])
    assert not Path("weights").exists()


def test_the_curve_of_noisy_measurements_is_their_mean() -> None:
    """The curve of errors drawn around a known, rising curve is that curve, and never falls."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(20000, generator=generator) * 0.1
    y = 0.01 + 3 * x**2 + 0.01 * torch.rand(20000, generator=generator)
    curve = fit_curve(x, y)
    middle = torch.linspace(0.01, 0.09, 9)
    torch.testing.assert_close(curve(middle), 0.015 + 3 * middle**2, atol=1.5e-3, rtol=0)
    assert bool((curve(torch.linspace(-1, 1, 500)).diff() >= 0).all())


def test_equal_measurements_give_a_constant_curve() -> None:
    for x in (torch.linspace(0, 1, 24).round(), torch.zeros(24)):
        curve = fit_curve(x, torch.full((24,), 0.02))
        torch.testing.assert_close(curve(torch.tensor([0.0, 0.5, 1.0])), torch.full((3,), 0.02))


def test_an_expected_error_is_by_a_curve_fitted_on_other_patients() -> None:
    """One fold has twice the error of the other: each is expected to have the other's."""
    score = torch.linspace(0.01, 0.1, 50).repeat(8, 1)
    patient = torch.arange(8) // 2  # two degradations of each
    factor = 1.0 + patient % 2
    expected = cross_fitted(score, factor[:, None] * score, patient)
    torch.testing.assert_close(
        expected.mean(dim=1), (3.0 - factor) * score.mean(), rtol=0.02, atol=0
    )


def test_flags_count_what_is_above_the_limits() -> None:
    expected, measured = torch.tensor([1.0, 3.0, 3.0, 5.0]), torch.tensor([3.0, 1.0, 3.0, 3.0])
    assert flag_rows(expected, measured, (2.0, 4.0), 1) == [
        "| check or abstain | 2 | 3 | 3 | 2 | 0.67 | 0.67 |",
        "| abstain | 4 | 1 | 0 | 0 | 0.00 |  |",
    ]


def test_harm_is_calibrated_on_all_and_the_error_on_degraded_photographs() -> None:
    n, degraded = 48, torch.arange(48) % 3 < 2
    share = torch.linspace(0, 1, n)
    error = torch.where(degraded, 0.05, 0.5)[:, None] * torch.linspace(0.98, 1.02, 10)
    error = error * torch.linspace(0.99, 1.01, n)[:, None]
    measured = Measured(torch.arange(n) // 3, degraded, error, error, error, share, share.square())
    settings = release.calibrated(Settings(OWN_SCALE, None), measured)  # type: ignore[arg-type]
    assert settings.harm is not None
    assert settings.uncertainty is not None
    torch.testing.assert_close(settings.harm(share), share.square(), atol=0.08, rtol=0)
    assert float(settings.uncertainty(torch.tensor(0.5))) == pytest.approx(0.05, rel=0.05)
    assert "| abstain | 0.5 |" in release.as_markdown(measured, settings)


def test_a_network_without_a_detail_stage_is_not_published() -> None:
    """Its errors would have to be measured in another way."""
    network = MAGENet(widths=(8, 8, 8, 8), blocks=(1, 1, 1, 1), original_width=8)
    section = {
        "class_path": "magenet.models.MAGENet",
        "init_args": {"widths": [8] * 4, "blocks": [1] * 4, "original_width": 8},
    }
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"hyper_parameters": {"network": section}, "state_dict": state}, "old.ckpt")
    with pytest.raises(UserError, match="no MAGENet with a detail stage"):
        release.main(["--checkpoint", "old.ckpt", "--out", "weights", "--results", "."])
    assert load_network(Path("old.ckpt"), "student").own_scale is False
