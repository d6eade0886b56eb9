import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from magenet.models import EnhancerOutput, MAGENet, Window
from magenet.models import window as window_module
from magenet.models.detail import GREATEST_GAIN, applied_gain
from magenet.models.information import clipped
from magenet.models.light import MARGIN_OF_ERROR, STEEPNESS, retina_mean
from magenet.models.pyramid import bands, collapsed
from magenet.models.window import whole_window
from tests.magenet.models.test_mage_net import TINY, awake
from tests.magenet.models.test_window import places

SMALL: dict[str, Any] = {
    **TINY, "original_resolution_stage": False, "detail_widths": [8, 8, 8], "context_size": 64,
}  # fmt: skip
LEVEL = 1 / 255


def eyes(*size: int) -> Tensor:
    """Return photographs with slow light, texture of single pixels, and some black surround."""
    batch, height, width = size
    light = torch.rand(batch, 3, 4, 4)
    light = functional.interpolate(light, (height, width), mode="bicubic").clamp(0.1, 0.8)
    image = light + 0.1 * torch.rand(batch, 3, height, width)
    image[..., : height // 16, :] = 0.0
    return image


@pytest.fixture
def no_grain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patterns that are alike everywhere would be taken for grain."""
    monkeypatch.setattr(
        "magenet.models.detail.grain_contrast", lambda contrast, image: 0 * contrast[..., :1, :1]
    )


def shown(network: MAGENet, image: Tensor, window: Window | None = None) -> EnhancerOutput:
    """Return the result as in a training, with a gradient."""
    output: EnhancerOutput = network(image, window=window)
    return output


@pytest.mark.parametrize(
    ("size", "tile"), [((299, 411), 128), ((256, 130), 128), ((1100, 1040), window_module.TILE)]
)
def test_a_photograph_in_tiles_is_the_photograph_as_a_whole(
    size: tuple[int, int], tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A margin that is too narrow, or a part that sees its whole window, would show as seams."""
    monkeypatch.setattr(window_module, "TILE", tile)
    network, image = awake(MAGENet(**SMALL)), eyes(1, *size)
    assert not window_module.is_one_tile(*size)
    count = sum(1 for _ in window_module.windows(*size, 1, 16))
    whole = network(image).stages[-1].detach()
    with torch.no_grad():
        tiled = network(image).stages[-1]
    assert count >= 4
    assert tiled.shape == image.shape
    assert float((whole - image).abs().mean()) > 0.01, "the network says something"
    assert float((tiled - whole).abs().max()) < 0.1 * LEVEL


def test_windows_show_those_parts_of_the_whole() -> None:
    """Deep inside a window and at the photograph's own border: nothing tells where it was cut."""
    frame = (400, 432)
    network, image = awake(MAGENet(**SMALL)), eyes(2, *frame)
    with torch.no_grad():
        whole = network(image, window=whole_window(frame, 2, 16)).stages[-1]
        window = places([[0, 160], [80, 0]], [[192, 0], [96, 192]], 240, frame)
        parts = network(image, window=window).stages[-1]
    assert parts.shape == (4, 3, 240, 240)
    for part, (eye, top, left) in zip(
        parts, [(0, 0, 192), (0, 160, 0), (1, 80, 96), (1, 0, 192)], strict=True
    ):
        wanted = whole[eye, :, top : top + 240, left : left + 240]
        rows = slice(0 if top == 0 else 96, 240 if top + 240 == frame[0] else 144)
        columns = slice(0 if left == 0 else 96, 240 if left + 240 == frame[1] else 144)
        error = (part - wanted)[:, rows, columns].abs()
        assert float(error.max()) < 0.1 * LEVEL


def test_windows_beyond_the_photograph_see_its_border_repeated() -> None:
    """The whole photograph, its sides rounded up, is such a window; so is any larger one."""
    frame = (150, 170)
    network, image = awake(MAGENet(**SMALL)), eyes(1, *frame)
    whole = shown(network, image).stages[-1].detach()
    larger = shown(network, image, places([[0]], [[0]], 288, frame)).stages[-1].detach()
    assert whole.shape == image.shape
    assert larger.shape == (1, 3, 288, 288), "a window has the size that was asked for"
    assert float((larger[..., :54, :74] - whole[..., :54, :74]).abs().max()) < 0.1 * LEVEL


def test_clipped_places_stay_and_others_change() -> None:
    """Where all colours are clipped nothing is known, and nothing may be painted."""
    image = eyes(1, 96, 128)
    image[..., 20:60, 30:80] = 1.0
    image[:, :2, 70:90, 10:40] = 1.0  # one colour is left: there is something to restore
    with torch.no_grad():
        result = awake(MAGENet(**SMALL))(image).stages[-1]
    changed = (result - image).abs().amax(dim=1)[0]
    assert float(changed[23:57, 33:77].max()) == 0.0
    assert float((changed[72:88, 12:38] > LEVEL).float().mean()) > 0.9
    free = clipped(image)[0, 0] == 0
    assert float((changed[free] > LEVEL).float().mean()) > 0.9


def test_starts_as_the_identity() -> None:
    image = eyes(1, 75, 90)
    for window in (None, places([[16]], [[32]], 32, (75, 90))):
        wanted = image if window is None else window.cut(image)
        assert torch.equal(shown(MAGENet(**SMALL), image, window).stages[-1], wanted)


def test_every_parameter_gets_a_gradient_from_windows() -> None:
    network = MAGENet(**SMALL)
    window = places([[0, 48], [32, 16]], [[0, 32]] * 2, 32, (96, 80))
    for _ in range(4):  # a unit that is silent for some weights is not for all
        output = shown(awake(network), eyes(2, 96, 80), window)
        assert output.structure_logits is not None
        assert output.log_error is not None
        assert output.log_gain is not None
        told = (output.log_error, output.structure_logits, output.log_gain)
        loss = torch.stack([one.square().sum() for one in told]).sum()
        torch.autograd.backward([loss, *(stage.square().sum() for stage in output.stages)])
    silent = [n for n, p in network.named_parameters() if p.grad is None or not bool(p.grad.any())]
    assert not silent


def test_the_light_of_the_whole_eye_reaches_the_detail_stage() -> None:
    network, image = awake(MAGENet(**SMALL)), eyes(1, 96, 80)
    last = shown(network, image, places([[0]], [[0]], 16, (96, 80))).stages[-1]
    (gradient,) = torch.autograd.grad(last.sum(), list(network.stems[0].parameters())[:1])
    assert bool(gradient.any())


def test_on_an_even_grey_the_detail_stage_gives_the_light_of_the_whole_eye() -> None:
    """It weights bands, and there are none, and corrects them by a part of their contrast."""
    network = awake(MAGENet(**SMALL)).train()  # in evaluation mode light is held back
    grey = torch.full((1, 3, 112, 80), 0.4)
    with torch.no_grad():
        output = network(grey)
    wanted = functional.interpolate(output.stages[-2], (112, 80), mode="bilinear")
    assert float((wanted - grey).abs().mean()) > 0.01
    assert torch.allclose(output.stages[-1], wanted, atol=1e-4)


@pytest.mark.usefixtures("no_grain")
def test_a_band_is_strengthened_to_a_bound_and_never_out_of_nothing() -> None:
    network = MAGENet(**SMALL)
    assert network.detail is not None
    for head in network.detail.heads:
        torch.nn.init.constant_(head.bias, 1e6)  # type: ignore[arg-type]  # it has a bias
    even = torch.full((1, 3, 128, 128), 0.4)
    lines = even.clone()
    lines[..., ::8] += 0.01
    with torch.no_grad():
        assert float((network(even).stages[-1] - even).abs().max()) < 1e-5
        strong = network(lines).stages[-1]
    ratio = (strong - strong.mean()).square().mean().sqrt() / (lines - lines.mean()).std()
    assert GREATEST_GAIN / 2 < float(ratio) < 1.01 * GREATEST_GAIN


def test_detail_is_strengthened_up_to_the_rim() -> None:
    """Its step to the black surround is no detail, and does not drown that which is there."""
    network = MAGENet(**SMALL).eval()
    assert network.detail is not None
    last = network.detail.gain[-1]
    torch.nn.init.constant_(last.bias, math.log(2.0))  # type: ignore[arg-type]  # it has a bias
    torch.nn.init.zeros_(network.detail.error.bias)  # type: ignore[arg-type]
    field = torch.zeros(1, 1, 384, 384)
    field[..., 128:, :] = 1.0
    image = 0.5 * field.expand(1, 3, -1, -1) - 0.02 * (torch.arange(384) // 4 % 2) * field
    image[..., 320:, :] = 0.5  # quiet places, without which all would be taken for grain
    with torch.no_grad():
        change = network(image).stages[-1] - image
    away, beside = (change[..., rows, 32:-32].std(dim=-1).mean() for rows in (
        slice(224, 256), slice(140, 156),
    ))  # fmt: skip
    assert float(away) > 0.005
    assert float(beside) == pytest.approx(float(away), rel=0.1)
    assert float(change[..., 132:140, :].mean().abs()) < LEVEL


@pytest.mark.usefixtures("no_grain")
def test_noise_is_not_strengthened_but_what_stands_out_of_it_is() -> None:
    network = MAGENet(**SMALL)
    assert network.detail is not None
    for head in list(network.detail.heads)[1:]:  # the finest band may only be smoothed
        torch.nn.init.constant_(head.bias, 0.5)  # type: ignore[arg-type]  # it has a bias
    noise = 0.4 + 0.01 * torch.randn(1, 3, 256, 256)
    lines = noise.clone()
    lines[..., ::16] += 0.03
    with torch.no_grad():
        grown = [
            float((network(image).stages[-1] - image)[..., 64:-64, 64:-64].std())
            for image in (noise, lines)
        ]
    assert grown[0] < 0.25 * grown[1]
    assert grown[0] < 0.2 * 0.01


def test_grain_is_not_strengthened_but_vessels_in_it_are() -> None:
    """White noise would fill the finest band, too; grain does not, and is everywhere."""
    torch.manual_seed(0)
    network = MAGENet(**SMALL).eval()
    assert network.detail is not None
    torch.nn.init.constant_(network.detail.gain[-1].bias, math.log(3.0))  # type: ignore[arg-type]
    clumps = functional.interpolate(torch.randn(1, 3, 96, 96), scale_factor=4.0, mode="bicubic")
    grain = 0.4 + 0.005 * clumps
    vessels = grain.clone()
    vessels[..., 160:224, 96::16] -= 0.04
    with torch.no_grad():
        changes = [network(image).stages[-1] - image for image in (grain, vessels)]
    assert float(changes[0].std()) < 0.25 * 0.005
    assert float(changes[1][..., 176:208, 120:].std()) > 0.01


def test_light_is_weighted_down_where_its_error_is_as_large_as_the_photographs() -> None:
    """Never in a training, which has to see the errors of the whole change."""
    network, image = awake(MAGENet(**SMALL)), torch.full((1, 3, 112, 80), 0.4)
    assert network.detail is not None
    torch.nn.init.zeros_(network.detail.error.weight)
    torch.nn.init.zeros_(network.correct[-1].head.weight)
    torch.nn.init.constant_(network.correct[-1].head.bias, 0.1)  # grey: a tint is less still
    changes, told = {}, {}
    for after in (0.001, 0.03, 1.0):
        bias = torch.tensor([0.03, after]).log()
        network.detail.error.bias = torch.nn.Parameter(bias)
        for mode in (True, False):
            with torch.no_grad():
                output = network.train(mode)(image)
            assert output.log_error is not None
            changes[after, mode] = output.stages[-1] - image
            told[after, mode] = output.log_error.exp()[0, :, 0, 0].tolist()
    whole = changes[0.03, True]
    assert float(whole.abs().mean()) > 0.01
    for after in (0.001, 0.03, 1.0):
        assert torch.equal(changes[after, True], whole)
        assert told[after, True] == pytest.approx([0.03, after])
    for after in (0.001, 0.03, 1.0):
        share = 1 / (1 + (MARGIN_OF_ERROR * after / 0.03) ** STEEPNESS)
        assert torch.allclose(changes[after, False], share * whole, atol=1e-4)
        left = share * after + (1 - share) * 0.03
        assert told[after, False] == pytest.approx([0.03, left], rel=1e-4)


def test_what_cannot_work_is_refused() -> None:
    window = places([[0]], [[0]], 16, (48, 48))
    with pytest.raises(ValueError, match="window needs a network with a detail stage"):
        MAGENet(**TINY)(torch.rand(1, 3, 48, 48), window=window)
    with pytest.raises(ValueError, match="replaces original_resolution_stage"):
        MAGENet(**{**SMALL, "original_resolution_stage": True})
    with pytest.raises(ValueError, match="1 to 3 widths"):
        MAGENet(**{**SMALL, "detail_widths": [8] * 4, "detail_blocks": [1] * 4})
    with pytest.raises(ValueError, match="needs the fine stage"):
        MAGENet(**SMALL, fine_stage=False)


def test_a_large_photograph_is_seen_reduced() -> None:
    network = awake(MAGENet(**SMALL))
    for size in ((64, 64), (96, 64), (256, 200)):
        with torch.no_grad():
            output = network(eyes(1, *size))
        coarse, fine, last = (stage.shape[-2:] for stage in output.stages)
        assert max(coarse) <= 16
        assert max(fine) <= 32
        assert tuple(last) == size
        assert output.log_error is not None
        assert output.log_error.shape == (1, 2, *fine)
        assert output.structure_logits is not None
        assert output.structure_logits.shape == (1, 1, *fine)
        ratio = size[0] / size[1]
        assert 0.75 * ratio < fine[0] / fine[1] < 1.33 * ratio, "not out of shape"


def test_a_small_photograph_is_not_enlarged_for_the_first_stages() -> None:
    network = MAGENet(**{**SMALL, "context_size": 512})
    image = eyes(1, 48, 64)
    with torch.no_grad():
        output = network(image)
    assert torch.equal(output.stages[1], functional.avg_pool2d(image, 2))


@pytest.mark.usefixtures("no_grain")
def test_a_told_gain_makes_a_band_so_many_times_stronger() -> None:
    """Without a word of the other heads, and at most as much as the greatest gain."""
    network = MAGENet(**SMALL).train()  # its heads are silent
    detail = network.detail
    assert detail is not None
    coarse = 0.4 + 0.1 * torch.rand(1, 3, 16, 16)
    image = functional.interpolate(coarse, (64, 64), mode="bilinear")  # without noise
    pyramid = bands(image, detail.bands)
    level = 2
    alone = [part if index == level else 0 * part for index, part in enumerate(pyramid)]
    for gain, wanted in ((1.0, 1.0), (3.0, 3.0), (50.0, GREATEST_GAIN)):
        with torch.no_grad():
            torch.nn.init.zeros_(detail.gain[-1].bias)
            detail.gain[-1].bias[level] = torch.tensor(gain).log()
            change = network(image).stages[-1] - image
        assert torch.allclose(change, (wanted - 1.0) * collapsed(alone), atol=1e-3)


def test_noise_alone_is_not_strengthened_but_may_be_weakened() -> None:
    told = torch.tensor([4.0, 4.0, 4.0, 0.25]).log().view(1, 1, 2, 2).requires_grad_(True)
    share = torch.tensor([0.1, 0.6, 0.4, 0.1]).view(1, 1, 2, 2)
    gain = applied_gain(told, share)
    assert gain.flatten().tolist() == pytest.approx([1.0, 4.0, 2.5, 0.25])
    assert not gain.requires_grad


def test_the_mean_over_the_retina_leaves_out_the_surround() -> None:
    image = torch.full((1, 3, 64, 64), 0.5)
    image[..., 32:] = 0.0
    field = torch.ones(1, 2, 4, 4)
    field[..., 2:] = 9.0
    assert torch.equal(retina_mean(field, image), torch.ones(1, 2, 1, 1))


@pytest.mark.usefixtures("no_grain")
def test_a_correction_is_no_light_and_is_not_drawn_from_noise() -> None:
    torch.manual_seed(0)
    network = awake(MAGENet(**SMALL)).train()
    assert network.detail is not None
    with torch.no_grad():
        for level, head in enumerate(network.detail.heads):
            corrections = head.weight.shape[0] // 2
            head.weight.zero_()
            head.bias.zero_()
            if level:  # the noise of the finest band is not known
                head.weight[corrections:].normal_()
                head.bias[corrections:].fill_(2.0)
        network.detail.gain[-1].weight.zero_()
        network.detail.gain[-1].bias.zero_()
        for correct in network.correct:
            correct.head.weight.zero_()
            correct.head.bias.zero_()
        noise = 0.4 + 0.01 * torch.randn(1, 3, 256, 256)
        lines = noise.clone()
        lines[..., ::16] += 0.1
        inside = (slice(None), slice(None), slice(64, -64), slice(64, -64))
        drawn = [(network(image).stages[-1] - image)[inside] for image in (noise, lines)]
    assert float(drawn[0].std()) < 0.02 * float(drawn[1].std())
    assert float(drawn[1].std()) > 1e-3
    assert float(drawn[1].mean().abs()) < 0.05 * float(drawn[1].std())


@pytest.mark.usefixtures("no_grain")
def test_bands_make_up_for_the_light_that_is_not_applied() -> None:
    """The contrast that a haze took returns, whether or not its light is trusted."""
    network = MAGENet(**SMALL).eval()
    detail = network.detail
    assert detail is not None
    with torch.no_grad():
        network.correct[-1].head.bias[:3] = 1.0  # twice the light
        detail.gain[-1].bias.fill_(math.log(2.0))
    waves = torch.linspace(0, 12 * math.pi, 128).sin().expand(1, 3, 128, 128)
    image = 0.2 + 0.02 * waves
    results = {}
    for after in (0.001, 1.0):
        detail.error.bias = torch.nn.Parameter(torch.tensor([0.03, after]).log())
        with torch.no_grad():
            results[after] = network(image).stages[-1][..., 16:-16, 16:-16]
    given, withheld = results.values()
    assert float(given.mean()) == pytest.approx(0.4, abs=0.02)
    assert float(withheld.mean()) == pytest.approx(0.2, abs=0.02)
    contrast = 2 * float(image[..., 16:-16, 16:-16].std())
    assert float(given.std()) == pytest.approx(contrast, rel=0.1)
    assert float(withheld.std()) == pytest.approx(contrast, rel=0.1)


def test_gains_are_told_from_the_light_beside_the_contrasts() -> None:
    """Little contrast in much light is a haze, in little light a shadow."""
    network = awake(MAGENet(**SMALL))
    dark = 0.2 + 0.05 * torch.rand(1, 3, 96, 96)
    told = [shown(network, image).log_gain for image in (dark, dark + 0.5)]
    assert told[0] is not None
    assert told[1] is not None
    assert float((told[0] - told[1]).abs().mean()) > 0.01
