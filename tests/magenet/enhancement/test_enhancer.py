import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from data_modules.datasets.photographs import cut_to_field
from magenet.allocator import resident
from magenet.enhancement.calibration_curve import CalibrationCurve
from magenet.enhancement.enhancer import PhotographEnhancer, _at_most
from magenet.enhancement.fundus_check import CHECK_SIZE, FundusCheck, NotAFundusError
from magenet.enhancement.settings import Settings
from magenet.enhancement.shrinkage import rms_inside, split_bands
from magenet.enhancement.vessel_evidence import VesselEvidence
from magenet.errors import UserError
from magenet.imaging.field_of_view import estimate_field
from magenet.models import Enhancer, EnhancerOutput, MAGENet, VesselSegmenter
from tests.magenet.conftest import ALL, NOTHING, SIZE, retina
from tests.magenet.models.test_mage_net import TINY

CPU = torch.device("cpu")
PLENTY = 1 << 40


def sample(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return a photograph as the network sees it, and its field."""
    cut = cut_to_field(image, estimate_field(image), SIZE)
    mask = cut["mask_fov"].float()
    return cut["image"] / 255 * mask, mask


@pytest.fixture
def enhancer(weights: Path) -> PhotographEnhancer:
    network = MAGENet.from_pretrained(weights)
    return PhotographEnhancer(network, Settings.of(network), VesselSegmenter(8, 4, 1), CPU, PLENTY)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_enhances_as_the_cpu_does(weights: Path) -> None:
    here, there = (
        PhotographEnhancer.from_pretrained(weights, device, PLENTY)(retina(1), force=True)
        for device in (CPU, torch.device("cuda"))
    )
    difference = (here.image.float() - there.image.float()).abs()
    assert float(difference.mean()) < 1.0, "in grey levels: bf16 on the one, fp32 on the other"


def test_settings_survive_the_weights_file(enhancer: PhotographEnhancer) -> None:
    network = MAGENet(**TINY)
    network.use.update(enhancer.settings.as_config())
    assert Settings.of(network) == enhancer.settings
    network.use["looks"] = network.use.pop("fundus_check")  # as up to release 0.2.1
    assert Settings.of(network) == enhancer.settings
    del network.use["looks"]
    with pytest.raises(UserError, match="fundus_check"):
        Settings.of(network)


def test_only_the_field_changes_at_any_size_and_depth(enhancer: PhotographEnhancer) -> None:
    for image in (retina(3), retina(3, 555), retina(3).to(torch.uint16) * 257):
        result = enhancer(image)
        assert result.image.shape == image.shape
        assert result.image.dtype == image.dtype
        outside = ~result.field.mask.expand_as(image)
        changed = result.image.int() != image.int()
        assert not bool(changed[outside].any())
        assert bool(changed.any())


def test_sixteen_bits_are_enhanced_as_eight_and_kept(enhancer: PhotographEnhancer) -> None:
    image = retina(4)
    eight = enhancer(image).image.float()
    sixteen = enhancer(image.to(torch.uint16) * 257).image.float()
    assert float((sixteen / 257 - eight).abs().max()) <= 2.5  # the network may run in bf16
    assert len(sixteen.unique()) > 256


def test_strength_blends(enhancer: PhotographEnhancer) -> None:
    image = retina(5)
    assert torch.equal(enhancer(image, strength=0.0).image, image)
    whole, half = (enhancer(image, strength=s).image.float() for s in (1.0, 0.5))
    apart = (2 * (half - image) - (whole - image)).abs()
    assert float(apart[(whole > 0) & (whole < 255)].max()) <= 2.0  # rounding


def test_what_is_no_fundus_is_refused_unless_forced(enhancer: PhotographEnhancer) -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (3, 150, 150), dtype=torch.uint8, generator=generator)
    for image in (noise, torch.full((3, 120, 160), 90, dtype=torch.uint8)):
        with pytest.raises(NotAFundusError):
            enhancer(image)
        assert enhancer(image, force=True).image.shape == image.shape


def test_the_check_sees_the_photograph_as_it_was_fitted_on_it(
    enhancer: PhotographEnhancer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resized once: a second resampling would blur it and move its sharpness."""
    image = retina(2, 700)
    seen: list[Tensor] = []
    monkeypatch.setattr(
        FundusCheck, "require", lambda self, image, mask, field: seen.extend([image, mask])
    )
    enhancer(image)
    cut = cut_to_field(image, estimate_field(image), CHECK_SIZE)
    mask = cut["mask_fov"][None].float()
    torch.testing.assert_close(seen, [cut["image"][None] / 255 * mask, mask])


def test_uncertainty_lies_in_the_field_and_within_the_calibration(
    enhancer: PhotographEnhancer,
) -> None:
    image = retina(7, 300)
    result = enhancer(image)
    uncertainty_score = result.uncertainty()
    assert uncertainty_score.shape == image.shape[-2:]
    assert torch.equal(result.uncertainty(3), uncertainty_score[::3, ::3])
    assert not bool(uncertainty_score[~result.field.mask[0]].any())
    inside = uncertainty_score[result.field.mask[0]]
    assert float(inside.min()) >= 0.0
    assert float(inside.max()) <= 0.2 + 1e-6
    assert 0.0 < result.report.expected_error <= 0.2 * 255


def test_an_unsure_field_asks_for_a_look(enhancer: PhotographEnhancer) -> None:
    image = retina(8)
    field = estimate_field(image)
    sure, unsure = (enhancer(image, replace(field, confidence=c)).report for c in (0.9, 0.3))
    assert unsure.verdict in ("check", "abstain")
    assert any("field of view" in reason for reason in unsure.reasons)
    assert not any("field of view" in reason for reason in sure.reasons)


def test_light_is_held_back_and_detail_is_not(enhancer: PhotographEnhancer) -> None:
    image = retina(9)
    seen, mask = sample(image)
    parts = split_bands(enhancer.estimate(seen, mask).change, mask)
    enhancer.settings = replace(enhancer.settings, light=NOTHING)
    torch.testing.assert_close(enhancer.estimate(seen, mask).change, parts.detail)
    assert enhancer(image).report.light_share == 0.0
    enhancer.settings = replace(enhancer.settings, light=ALL)
    assert enhancer(image, strength=0.5).report.light_share == 0.5
    assert torch.equal(enhancer(image, strength=0.0).image, image)


def test_the_share_is_that_of_the_changes_own_size(enhancer: PhotographEnhancer) -> None:
    seen, mask = sample(retina(9))
    size = float(rms_inside(split_bands(enhancer.estimate(seen, mask).change, mask).light, mask))
    rising = CalibrationCurve((0.5 * size, 1.5 * size), (0.0, 1.0))
    enhancer.settings = replace(enhancer.settings, light=rising)
    assert enhancer.estimate(seen, mask).light_share == pytest.approx(0.5, abs=1e-3)


def seeing(logit: float) -> torch.nn.Module:
    """Return a segmenter that finds vessels everywhere, or nowhere."""
    everywhere = torch.nn.Conv2d(3, 1, 1).requires_grad_(False)
    everywhere.weight.zero_()
    everywhere.bias.fill_(logit)  # type: ignore[union-attr]
    return everywhere


@pytest.fixture
def trusted_vessels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is found counts as vessels: what is found here has no form or colour."""
    monkeypatch.setattr(
        "magenet.enhancement.enhancer.vessel_evidence",
        lambda image, vessels, mask: VesselEvidence(float(vessels.any()), 1.0),
    )


@pytest.mark.usefixtures("trusted_vessels")
def test_a_photograph_without_vessels_asks_for_a_look(enhancer: PhotographEnhancer) -> None:
    field = replace(estimate_field(retina(10)), confidence=1.0)
    sure = CalibrationCurve((0.0, 1.0), (0.0, 0.0))
    enhancer.settings = replace(enhancer.settings, uncertainty=sure)
    said = {}
    for logit in (1.0, -1.0):
        enhancer.vessels = seeing(logit)
        report = enhancer(retina(10), field, strength=0.05).report
        said[logit] = report.verdict, [reason for reason in report.reasons if "vessels" in reason]
    assert said[1.0] == ("ok", [])
    assert said[-1.0] == ("check", ["no vessels can be seen in the unenhanced photograph"])


@pytest.mark.usefixtures("trusted_vessels")
@pytest.mark.parametrize(("levels", "verdict"), [(5, "ok"), (14, "check"), (30, "abstain")])
def test_a_large_expected_error_is_said_and_flagged(
    enhancer: PhotographEnhancer, levels: int, verdict: str
) -> None:
    line = CalibrationCurve((0.0, 1.0), (levels / 255, levels / 255))
    enhancer.settings = replace(enhancer.settings, uncertainty=line)
    enhancer.vessels = seeing(1.0)
    image = retina(10)
    field = replace(estimate_field(image), confidence=1.0)
    report = enhancer(image, field, strength=0.05).report
    assert report.expected_error == pytest.approx(levels, abs=0.1)
    assert report.verdict == verdict
    assert any("grey levels" in reason for reason in report.reasons) == (verdict != "ok")


class Stripes(torch.nn.Module):
    """Find as many vertical vessels in the photograph as taken, then in the enhanced one."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.counts = iter((before, after))

    def forward(self, picture: Tensor) -> Tensor:
        """Return logits, `(1, 1, S, S)`."""
        found = torch.full_like(picture[:, :1], -1.0)
        found[..., 16 : 16 + 4 * next(self.counts) : 4] = 1.0
        return found


@pytest.mark.usefixtures("trusted_vessels")
def test_many_new_vessels_ask_for_a_look(enhancer: PhotographEnhancer) -> None:
    field = replace(estimate_field(retina(10)), confidence=1.0)
    enhancer.settings = replace(
        enhancer.settings, uncertainty=CalibrationCurve((0.0, 1.0), (0.0, 0.0))
    )
    said = {}
    for after in (2, 4):
        enhancer.vessels = Stripes(1, after)
        said[after] = enhancer(retina(10), field, strength=0.05).report
    assert said[2].verdict == "ok"
    assert said[4].verdict == "check"
    assert any("recovered or invented" in reason for reason in said[4].reasons)


def test_lines_that_are_no_vessels_ask_for_a_look(enhancer: PhotographEnhancer) -> None:
    """Stripes found where the photograph has none have no colour of blood."""
    field = replace(estimate_field(retina(10)), confidence=1.0)
    enhancer.vessels = Stripes(4, 4)
    report = enhancer(retina(10), field, strength=0.05).report
    assert report.verdict != "ok"
    assert any("colour of blood" in reason for reason in report.reasons)


def drawn(*parts: tuple[slice, slice, tuple[int, int, int]]) -> Tensor:
    """Return a picture of coloured rectangles, `(3, 300, 400)`."""
    picture = torch.zeros(3, 300, 400, dtype=torch.uint8)
    for rows, columns, colour in parts:
        picture[:, rows, columns] = torch.tensor(colour, dtype=torch.uint8)[:, None, None]
    return picture


def test_the_released_weights_tell_a_landscape_from_a_fundus() -> None:
    """Sky over grass, and a tomato with a leaf, which a disc alone would not give away."""
    enhancer = PhotographEnhancer.from_pretrained("mage_net", CPU, PLENTY)
    everything = slice(None)
    landscape = drawn(
        (everything, everything, (90, 140, 230)), (slice(180, None), everything, (70, 150, 60))
    )
    y, x = torch.meshgrid(torch.arange(300) - 150, torch.arange(400) - 200, indexing="ij")
    disc = x.square() + y.square() < 120**2
    tomato = torch.where(
        disc,
        drawn(
            (everything, everything, (200, 60, 50)),
            (slice(60, 150), slice(200, 300), (60, 160, 60)),
        ),
        0,
    )
    for picture in (landscape, tomato):
        with pytest.raises(NotAFundusError, match="does not look like a fundus"):
            enhancer(picture)


def test_a_raw_enhancer_applies_one_pass_of_the_network(enhancer: PhotographEnhancer) -> None:
    seen, mask = sample(retina(9))
    raw = PhotographEnhancer(
        enhancer.network, enhancer.settings, VesselSegmenter(8, 4, 1), CPU, PLENTY, raw=True,
        half=False,
    )  # fmt: skip
    with torch.inference_mode():
        own = enhancer.network(seen[None], mask[None]).image[0]
    torch.testing.assert_close(raw.estimate(seen, mask).change, own * mask - seen)
    report = raw(retina(9)).report
    assert report.light_share == 1.0
    assert math.isnan(report.expected_error)


def test_a_network_without_calibration_applies_the_mean_of_its_views(
    enhancer: PhotographEnhancer,
) -> None:
    seen, mask = sample(retina(9))
    views = enhancer.views(seen[None], mask[None])
    assert len(views) == 4
    enhancer.settings = replace(enhancer.settings, light=None, uncertainty=None)
    torch.testing.assert_close(enhancer.estimate(seen, mask).change, views.mean(dim=0) - seen)
    report = enhancer(retina(9)).report
    assert math.isnan(report.expected_error)
    assert report.light_share == 1.0


class Gamma(Enhancer):
    """Brighten, at whatever size; note that size and the mask."""

    def forward(self, image: Tensor, mask: Tensor | None = None) -> EnhancerOutput:
        """Return the photograph's square root inside the mask."""
        assert mask is not None
        self.shape = tuple(mask.shape)
        return EnhancerOutput((torch.where(mask > 0, image.sqrt(), image),))


def test_a_method_without_a_size_sees_the_photographs_own(enhancer: PhotographEnhancer) -> None:
    method = Gamma()
    settings = replace(enhancer.settings, size=None)
    own = PhotographEnhancer(method, settings, VesselSegmenter(8, 4, 1), CPU, PLENTY, raw=True)
    image = retina(4, 333)
    field = estimate_field(image)
    result = own(image, field, force=True).image
    assert method.shape == (1, 1, field.square.side, field.square.side)
    wanted = torch.where(field.mask, ((image / 255).sqrt() * 255).round(), image.float())
    assert float((result.float() - wanted).abs().max()) <= 1.0
    change = (wanted - image.float()).abs()[field.mask.expand_as(wanted)].mean()
    report = own(image, field, force=True).report
    assert report.mean_change == pytest.approx(float(change), abs=0.05)


def test_a_network_that_would_not_fit_is_refused_with_what_it_needs(
    enhancer: PhotographEnhancer,
) -> None:
    network = MAGENet(widths=(32, 8, 8, 8), blocks=(1, 1, 1, 1))
    settings = replace(enhancer.settings, size=512)
    vessels = VesselSegmenter(8, 4, 1)
    seen = torch.zeros(1, 3, 512, 512)
    small = PhotographEnhancer(network, settings, vessels, CPU, resident() + 100 * 2**20)
    with pytest.raises(UserError, match=r"network at 512 px; give \d+M at least"):
        small.views(seen, seen[:, :1])
    assert network.forward_memory(512**2) < 300 * 2**20


def test_the_device_follows_the_network(enhancer: PhotographEnhancer) -> None:
    assert enhancer.device == CPU
    enhancer.network.to("meta")
    assert enhancer.device.type == "meta"


class Ramp(Enhancer):
    """Add light that grows to the right and downwards."""

    def forward(self, image: Tensor, mask: Tensor | None = None) -> EnhancerOutput:
        """Return the photograph with the ramp."""
        rows = torch.linspace(-0.1, 0.1, image.shape[-2])[:, None]
        columns = torch.linspace(-0.2, 0.2, image.shape[-1])
        return EnhancerOutput((image + 0.05 + rows + columns,))


def test_what_depends_on_the_direction_of_view_cancels(enhancer: PhotographEnhancer) -> None:
    """Each of the four views is another flip, and each is flipped back."""
    settings = replace(enhancer.settings, light=None)
    ramp = PhotographEnhancer(Ramp(), settings, VesselSegmenter(8, 4, 1), CPU, PLENTY, half=False)
    seen, mask = 0.5 * torch.ones(3, SIZE, SIZE), torch.ones(1, SIZE, SIZE)
    change = ramp.estimate(seen, mask).change
    assert torch.allclose(change, torch.tensor(0.05), atol=1e-5)


def test_fidelity_of_a_large_photograph_is_measured_on_a_small_copy_inside_the_field() -> None:
    before, after, mask = torch.rand(3, 64, 64), torch.rand(3, 64, 64), torch.zeros(1, 64, 64)
    mask[:, :32] = 1.0
    assert torch.equal(_at_most(before, after, mask, 64)[1][0], after)
    small = _at_most(before, after, mask, 32)
    inside = torch.arange(32)[:, None].expand(32, 32) < 16
    assert torch.equal(small[2][0, 0] > 0, inside)
    for plane, whole in zip(small[:2], (before, after), strict=True):
        assert plane.shape == (1, 3, 32, 32)
        assert not bool(plane[..., ~inside].any())
        average = torch.nn.functional.avg_pool2d(whole, 2)[:, inside]
        assert float((plane[0][:, inside] - average).abs().mean()) < 0.1
