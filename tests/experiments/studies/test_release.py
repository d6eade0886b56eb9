"""The release: a network is published with its calibration."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from experiments.configurations import BASE, CONFIGS, WEIGHTS
from experiments.studies import input_sizes, release
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.settings import Settings
from magenet.errors import UserError
from magenet.main import main
from magenet.models import MAGENet, VesselSegmenter
from tests.command_line import TINY, configs, segmenter_for

pytestmark = pytest.mark.usefixtures("workplace")


@pytest.mark.slow
def test_the_trained_teacher_is_published_with_its_calibration(photographs: Path) -> None:
    compared = CONFIGS / "runs/comparison/mage_net.yaml"
    target = segmenter_for(yaml.safe_load(compared.read_text())["model"]["init_args"])
    small = [*configs(TINY, "limits.yaml", "small.yaml"), *target]
    version = ["--trainer.logger.version", "seed0"]
    first = configs(BASE, CONFIGS / "layers/protocol/comparison.yaml", compared)
    assert main(["fit", *first, *small, *version]) == 0
    assert main(["fit", *configs(BASE, CONFIGS / "runs/release/mage_net.yaml"), *small]) == 0
    release.main(["--size", "64", "--out", "weights", "--results", "."])
    network = MAGENet.from_pretrained("weights/mage_net")
    segmenter = VesselSegmenter.from_pretrained("weights/vessels")
    for published, checkpoint, prefix in (
        (network, Path("runs/release/checkpoints/best.ckpt"), "teacher.network."),
        (segmenter, WEIGHTS / "vessels.ckpt", "network."),
    ):
        trained = torch.load(checkpoint, weights_only=True)["state_dict"]
        for name, value in published.state_dict().items():
            torch.testing.assert_close(value, trained[prefix + name].to(value.dtype))
    settings = Settings.of(network)
    assert settings.size == 64
    report = Path("uncertainty.md").read_text()
    for curve, x, y in ((settings.light, 255, 1), (settings.uncertainty, 255, 255)):
        assert curve is not None
        assert "\n".join(release.curve_rows(curve, x, y)) in report
    unshrunk = replace(settings, light=None, uncertainty=None)
    enhancer = PhotographEnhancer(network, unshrunk, segmenter, torch.device("cpu"), release.MEMORY)
    light = release.shrinkage_curve(release.measure_changes(enhancer))
    assert settings.light is not None
    assert (tuple(settings.light.x), tuple(settings.light.y)) == (light.x, light.y)
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
    curve = release.fit_curve(x, y, torch.ones_like(x))
    middle = torch.linspace(0.01, 0.09, 9)
    torch.testing.assert_close(curve(middle), 0.015 + 3 * middle**2, atol=1.5e-3, rtol=0)
    assert bool((curve(torch.linspace(-1, 1, 500)).diff() >= 0).all())


def test_equal_measurements_give_a_constant_curve() -> None:
    fit_curve = release.fit_curve
    for x in (torch.linspace(0, 1, 24).round(), torch.zeros(24)):
        curve = fit_curve(x, torch.full((24,), 0.02), torch.ones(24))
        torch.testing.assert_close(curve(torch.tensor([0.0, 0.5, 1.0])), torch.full((3,), 0.02))


def test_an_expected_error_is_by_a_curve_fitted_on_other_photographs() -> None:
    """One fold has twice the error of the other: each is expected to have the other's."""
    uncertainty_score = torch.linspace(0.01, 0.1, 50).repeat(8, 1)
    factor = torch.tensor([1.0, 1.0, 2.0, 2.0]).repeat(2)[:, None]  # two degradations of each
    error = factor * uncertainty_score
    measured = release.Measured(
        uncertainty_score, {}, error, error.mean(dim=1), list(uncertainty_score)
    )
    torch.testing.assert_close(
        release.cross_fitted_errors(measured),
        (3.0 - factor[:, 0]) * uncertainty_score.mean(),
        rtol=0.02,
        atol=0,
    )


def test_a_change_that_was_half_right_is_half_applied() -> None:
    sizes = torch.linspace(0.01, 0.2, 48)
    found = [release.Change(s, 0.5 * s**2, s**2) for s in sizes]
    torch.testing.assert_close(release.shrinkage_curve(found)(sizes), torch.full((48,), 0.5))
    wrong = [release.Change(s, -(s**2), s**2) for s in sizes]
    assert float(release.shrinkage_curve(wrong)(sizes).abs().max()) == 0.0
