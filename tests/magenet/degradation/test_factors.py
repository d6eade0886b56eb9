"""Each factor against an independent slow reference, and what must hold for every factor."""

import json
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from torch import Tensor
from torch.nn.functional import avg_pool2d

from data_modules.datasets.phantom import draw_phantom
from magenet.degradation import (
    CofeDegradation,
    CounterRNG,
    Degradation,
    FundusDegradation,
    Parameters,
)  # fmt: skip
from magenet.degradation.cofe.variant import Variant
from magenet.degradation.factor import Record
from magenet.models.pyramid import bands
from tests.magenet.degradation import reference
from tests.magenet.degradation.reference import Array

LEVEL = 1 / 255
FUNDUS = FundusDegradation()
OF_PIXELS = ("noise", "grain", "jpeg")
"""Factors that depend on the pixel, not on the field's diameter."""
VARIANTS: tuple[Variant, ...] = ("offline", "online", "published")
COFE = {variant: CofeDegradation(variant=variant) for variant in VARIANTS}
CASES = [("fundus", name) for name in FUNDUS.factors] + [
    (variant, name) for variant in VARIANTS for name in COFE[variant].factors
]


@cache
def pair(size: int) -> tuple[Tensor, Tensor]:
    phantom = draw_phantom(11, size)
    mask = phantom.field.mask[None].float()
    return phantom.image[None].float() / 255 * mask, mask


def recipe(kind: str) -> Degradation:
    return FUNDUS if kind == "fundus" else COFE[kind]  # type: ignore[index]


def parameters(kind: str, name: str, keys: list[int], severity: float = 1.0) -> Parameters:
    """Return parameters of one factor alone."""
    rng = CounterRNG(torch.tensor(keys), seed=3)
    return recipe(kind).draw_chosen(rng, {name: torch.full((len(keys),), severity)})


def channels_last(image: Tensor) -> Array:
    return image[0].permute(1, 2, 0).double().numpy()


@pytest.mark.parametrize("size", [128, 333, 512])
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_equals_the_slow_reference(kind: str, name: str, size: int) -> None:
    image, mask = pair(size)
    slow = reference.FUNDUS if kind == "fundus" else reference.COFE
    for key in (1,) if size == 512 else (1, 2):  # the reference is slow
        drawn = parameters(kind, name, [key])
        result = recipe(kind).apply(image, mask, drawn)
        wanted = slow[name](
            channels_last(image), mask[0, 0].double().numpy(), drawn.records()[0][name]
        )
        inside = mask[0, 0].numpy() > 0
        error = np.abs(channels_last(result) - wanted)[inside]
        change = np.abs(wanted - channels_last(image))[inside]
        assert error.mean() < LEVEL, f"{error.mean() / LEVEL:.2f} levels"
        # Doing nothing would pass the first check for a mild factor, and must not pass this one.
        share = 0.35 if name == "jpeg" else 0.2  # libjpeg rounds to 8 bits on its way
        if change.mean() > 0.02 * LEVEL:  # cofe-Net's mildest blur is no blur at all
            assert error.mean() <= share * change.mean(), f"{error.mean() / change.mean():.2f}"
        else:
            assert name == "blur"


@pytest.mark.parametrize("size", [128, 333, 512, 1024])
@pytest.mark.parametrize("kernels", [(3, 5), (7, 3), (7, 7)])
def test_cofe_blur_is_the_scripts_at_any_size(size: int, kernels: tuple[int, int]) -> None:
    image, mask = pair(size)
    record: Record = {"blur": {"sigma": 12.0, "kernel_x": kernels[0], "kernel_y": kernels[1]}}
    factors = COFE["offline"].factors
    result = COFE["offline"].apply(image, mask, Parameters.from_records([record], factors))
    wanted = reference.cofe_blur(channels_last(image), mask[0, 0].double().numpy(), record["blur"])
    inside = mask[0, 0].numpy() > 0
    error = np.abs(channels_last(result) - wanted)[inside].mean()
    change = np.abs(wanted - channels_last(image))[inside].mean()
    assert error < 0.4 * LEVEL
    assert error < 0.2 * change


@pytest.mark.parametrize("key", [1, 2, 3])
def test_cofe_colour_is_pillows(key: int) -> None:
    image, mask = pair(512)
    drawn = parameters("offline", "colour", [key])
    values = drawn.records()[0]["colour"]
    picture = Image.fromarray((channels_last(image) * 255).round().astype(np.uint8))
    picture = ImageEnhance.Brightness(picture).enhance(values["brightness"])  # type: ignore[arg-type]
    picture = ImageEnhance.Contrast(picture).enhance(values["contrast"])  # type: ignore[arg-type]
    picture = ImageEnhance.Color(picture).enhance(values["saturation"])  # type: ignore[arg-type]
    inside = mask[0, 0].numpy() > 0
    result = channels_last(COFE["offline"].apply(image, mask, drawn))
    # Pillow rounds to 8 bits after each of the three steps.
    assert np.abs(result - np.asarray(picture) / 255)[inside].mean() < 2 * LEVEL


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_parameters_replay_the_same_pixels(kind: str, name: str) -> None:
    image, mask = (tensor.expand(3, -1, -1, -1) for tensor in pair(128))
    drawn = parameters(kind, name, [5, 6, 7])
    read: list[Record] = json.loads(json.dumps(drawn.records()))
    replayed = Parameters.from_records(read, recipe(kind).factors)
    once, again = (recipe(kind).apply(image, mask, p) for p in (drawn, replayed))
    assert torch.equal(once, again)
    alone = recipe(kind).apply(
        image[1:2], mask[1:2], Parameters.from_records(read[1:2], recipe(kind).factors)
    )
    assert torch.allclose(alone, once[1:2], atol=1e-6)


@pytest.mark.parametrize("name", [n for n in FUNDUS.factors if n not in OF_PIXELS])
def test_size_does_not_matter(name: str) -> None:
    """Degrade at 1024 and reduce to 512, or degrade at 512: the same to 35 dB."""
    large, mask = pair(1024)
    small, small_mask = avg_pool2d(large, 2), (avg_pool2d(mask, 2) == 1).float()
    worst = 99.0
    for key in (1, 2, 3):
        drawn = parameters("fundus", name, [key], severity=1.0)
        reduced = avg_pool2d(FUNDUS.apply(large, mask, drawn), 2)
        direct = FUNDUS.apply(small * small_mask, small_mask, drawn)
        squared = ((reduced - direct) * small_mask).square().sum() / (3 * small_mask.sum())
        worst = min(worst, float(-10 * squared.log10()))
    assert worst >= 35, f"{worst:.1f} dB"


@pytest.mark.parametrize("name", list(FUNDUS.factors))
def test_severity_is_a_measure_of_damage(name: str) -> None:
    image, mask = (tensor.expand(4, -1, -1, -1) for tensor in pair(128))
    damage = []
    for severity in (0.05, 0.3, 0.65, 1.0):
        result = FUNDUS.apply(image, mask, parameters("fundus", name, [1, 2, 3, 4], severity))
        damage.append(float((result - image).square().mean()))
        if severity < 0.7 and name != "burnout":  # which is meant to clip
            flat = (result >= 0.999).all(dim=1) | ((result <= 0).all(dim=1) & (mask[:, 0] > 0))
            assert float(flat.float().mean()) < 0.001, "clipped to flat colour"
            if name not in OF_PIXELS:  # these overshoot in single pixels
                drawn = parameters("fundus", name, [1, 2, 3, 4], severity)
                bright = FUNDUS.apply(0.9 * mask.expand(-1, 3, -1, -1), mask, drawn)
                assert float(bright.max()) < 0.999, "clipped to flat white"
    assert damage == sorted(damage)
    assert damage[0] < 0.2 * damage[-1] or name == "jpeg"
    assert damage[-1] > 1e-6


@pytest.mark.parametrize("name", ["shadow", "vignette", "haze", "flare", "halo"])
def test_light_has_no_hard_edges(name: str) -> None:
    """On an even grey, neighbouring pixels differ by little: these are fields of light."""
    mask = pair(512)[1]
    even = 0.5 * mask.expand(-1, 3, -1, -1)
    for key in range(6):
        result = FUNDUS.apply(even, mask, parameters("fundus", name, [key]))
        inside = (mask[..., 1:] * mask[..., :-1]).expand(-1, 3, -1, -1) > 0
        step = (result[..., 1:] - result[..., :-1]).abs()[inside]
        assert float(step.max()) < 0.06


def test_noise_is_white_and_grows_as_stated() -> None:
    mask = torch.ones(1, 1, 512, 512)
    grey = torch.full((1, 3, 512, 512), 0.5)
    record: Record = {"noise": {"shot": 0.002, "read": 0.005, "seed": 7}}
    drawn = Parameters.from_records([record], FUNDUS.factors)
    linear = FUNDUS.apply(grey, mask, drawn).square() - 0.25
    assert float(linear.mean()) == pytest.approx(0.0, abs=2e-4)
    assert float(linear.std()) == pytest.approx((0.002 * 0.25 + 0.005**2) ** 0.5, rel=0.01)
    standard = linear / linear.std()
    assert float(standard.pow(4).mean()) == pytest.approx(3.0, abs=0.05), "Gaussian"
    for other in (standard.roll(1, 3), standard.roll(1, 2), standard.roll(1, 1)):
        assert abs(float((standard * other).mean())) < 0.01, "independent neighbours"
    other_seed: Record = {"noise": {"shot": 0.002, "read": 0.005, "seed": 8}}
    changed = FUNDUS.apply(grey, mask, Parameters.from_records([other_seed], FUNDUS.factors))
    assert abs(float((standard * (changed.square() - 0.25)).mean())) < 1e-3


def test_grain_has_as_much_contrast_in_wide_bands_as_in_narrow_ones() -> None:
    """White noise would have a half less from each band to the next."""
    mask, grey = torch.ones(1, 1, 512, 512), torch.full((1, 3, 512, 512), 0.5)
    record: Record = {"grain": {"sigma": 0.01, "seed": 7}}
    drawn = Parameters.from_records([record], FUNDUS.factors)
    added = FUNDUS.apply(grey, mask, drawn) - 0.5
    assert float(added.std()) == pytest.approx(0.01, rel=0.03)
    assert float(added.mean()) == pytest.approx(0.0, abs=2e-4)
    deviations = [float(band.std()) for band in bands(added, 4)[1:-1]]
    assert max(deviations) < 1.3 * min(deviations)
    standard = added / added.std()
    assert abs(float((standard[:, 0] * standard[:, 1]).mean())) < 0.02, "independent colours"


def test_all_halo_colours_are_drawn() -> None:
    from magenet.degradation.fundus.halo import COLOURS

    values = parameters("fundus", "halo", list(range(300))).parts["halo"].values
    tints = torch.stack([values[c] for c in ("red", "green", "blue")], 1).sqrt()
    tints = tints / tints.amax(dim=1, keepdim=True)
    wanted = torch.tensor(COLOURS) / torch.tensor(COLOURS).amax(dim=1, keepdim=True)
    nearest = torch.cdist(tints, wanted.float()).argmin(dim=1)
    assert set(nearest.tolist()) == set(range(len(COLOURS)))


def test_a_dark_photograph_gets_no_offline_hole() -> None:
    image, mask = pair(128)
    dark = image * 0.3
    assert torch.equal(COFE["offline"].apply(dark, mask, parameters("offline", "hole", [1])), dark)
    assert not torch.equal(
        COFE["online"].apply(dark, mask, parameters("online", "hole", [1])), dark
    )


def test_the_offline_script_is_drawn_as_released() -> None:
    """Ranges and relations of the script (method: cofe-Net's released code), on many draws."""
    drawn = {
        name: parameters("offline", name, list(range(500))).parts[name].values
        for name in COFE["offline"].factors
    }

    def spans(name: str, key: str, low: float, high: float, slack: float) -> None:
        found = drawn[name][key]
        assert low <= float(found.min()) <= low + slack, (name, key)
        assert high - slack <= float(found.max()) <= high, (name, key)

    for key, low, high in (
        ("brightness", 0.7, 1.2),
        ("contrast", 0.6, 1.4),
        ("saturation", 0.6, 1.4),
    ):
        spans("colour", key, low, high, 0.02)
    for key in ("centre_x", "centre_y"):
        spans("halo", key, 192, 320, 3)
    spans("halo", "inner", 384, 512, 3)
    halo = drawn["halo"]
    corner = torch.maximum(halo["centre_x"], halo["centre_y"])
    assert torch.equal(halo["outer"], 512 + corner)
    far = torch.stack([halo["centre_x"], 512 - halo["centre_x"],
                       halo["centre_y"], 512 - halo["centre_y"]]).amax(dim=0)  # fmt: skip
    gap = (2 * far - halo["inner"]).abs()
    assert torch.allclose(halo["sigma"], (2 * gap / 3).clamp(min=1.0))
    assert bool(((halo["kernel"] - gap).abs() <= 1).all())
    spans("hole", "diameter", 205, 358, 3)
    spans("hole", "centre_x", 128, 384, 4)
    spans("hole", "centre_y", 192, 320, 3)
    spans("hole", "base", 0.26, 0.262, 1e-4)
    spans("hole", "share", 0.05, 0.06, 1e-3)
    hole = drawn["hole"]
    widest = torch.maximum(hole["kernel_x"], hole["kernel_y"])
    assert bool(((hole["sigma"] - 0.8 * widest).abs() <= 0.81).all())
    for key in ("kernel_x", "kernel_y"):
        share = hole[key] / hole["diameter"]
        assert 0.545 < float(share.min()) < 0.57
        assert 0.73 < float(share.max()) < 0.76
    spans("blur", "sigma", 5, 15, 0.2)
    spots = drawn["spots"]
    shown = spots["strength"] > 0
    assert 0.06 < float(spots["strength"][shown].min()) < 0.08
    assert 0.20 < float(spots["strength"].max()) < 0.22
    assert set(spots["radius"].unique().tolist()) == set(range(3, 13))


def test_the_online_script_is_drawn_as_released() -> None:
    drawn = {
        name: parameters("online", name, list(range(500))).parts[name].values
        for name in ("hole", "spots")
    }
    shown = drawn["spots"]["strength"] > 0
    ranges = (
        ("hole", "diameter", 154, 256, 3), ("hole", "centre_x", 0, 512, 6),
        ("hole", "centre_y", 0, 512, 6), ("hole", "base", 0.05, 0.25, 0.003),
        ("hole", "share", 0.0, 0.0, 0.0), ("hole", "least_mean", 0.0, 0.0, 0.0),
        ("spots", "radius", 7, 12, 0), ("spots", "edge", 4.5, 4.5, 0.0),
        ("spots", "strength", 0.0, 1 - np.exp(-0.45), 0.03),
        ("spots", "x", 15.0, 497.0, 2.0), ("spots", "y", 15.0, 497.0, 2.0),
    )  # fmt: skip
    for name, key, low, high, slack in ranges:
        found = drawn[name][key][shown] if name == "spots" else drawn[name][key]
        assert low <= float(found.min()) <= low + slack, (name, key)
        assert high - slack <= float(found.max()) <= high + 1e-6, (name, key)
    hole = drawn["hole"]
    for key, more in (("kernel_x", 1.0), ("kernel_y", 1.0), ("sigma", 0.0)):
        share = hole[key] / hole["diameter"]
        assert 0.24 < float(share.min()) < 0.26, key
        assert 0.32 < float(((hole[key] - more) / hole["diameter"]).max()) < 0.334, key


def test_the_quirks_of_the_variants() -> None:
    keys = list(range(400))

    def drawn(variant: str, name: str) -> dict[str, Tensor]:
        return parameters(variant, name, keys).parts[name].values

    blue = {
        variant: set(drawn(variant, "halo")["blue"].mul(255).round().tolist())
        for variant in VARIANTS
    }
    assert blue["offline"] == blue["published"] == {238.0, 147.0}, "white is unreachable"
    assert blue["online"] == {255.0, 238.0, 90.0}
    kernels = drawn("offline", "blur")["kernel_x"]
    assert set(kernels.tolist()) == {1.0, 3.0, 5.0, 7.0}
    counts = {v: (drawn(v, "spots")["strength"] > 0).sum(dim=1) for v in VARIANTS}
    assert [(int(c.min()), int(c.max())) for c in counts.values()] == [(5, 10), (5, 20), (15, 23)]
    faint = drawn("published", "spots")
    small = (faint["strength"] > 0) & (faint["radius"] < 12)
    assert float(faint["strength"][small].max()) < 0.15, "an integer division keeps beta at 0.5"
    assert float(drawn("offline", "colour")["brightness"].max()) < 1.2
    assert float(drawn("online", "colour")["brightness"].max()) > 1.4
    assert list(COFE["online"].factors) == ["colour", "spots", "halo", "blur", "hole"]
