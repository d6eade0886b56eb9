"""What holds for whole recipes: randomness, replay, types, mixtures, refusals."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from data_modules.datasets.phantom import draw_phantom
from magenet.degradation import (
    PRESETS,
    TYPES,
    CofeDegradation,
    CounterRNG,
    Degradation,
    DegradationMixture,
    FundusDegradation,
    Parameters,
    type_code,
)  # fmt: skip
from magenet.degradation.fundus.presets import BLURRED

RECIPES = {
    "cofe": CofeDegradation(),
    "either": DegradationMixture(FundusDegradation(), CofeDegradation()),
    "online": CofeDegradation(variant="online"),
    "mixed": FundusDegradation(),
    "handheld": FundusDegradation("handheld"),
}
every_recipe = pytest.mark.parametrize("degrade", RECIPES.values(), ids=RECIPES)


@pytest.fixture(scope="module")
def batch() -> tuple[Tensor, Tensor]:
    phantoms = [draw_phantom(seed, 64) for seed in range(8)]
    image = torch.stack([p.image for p in phantoms]).float() / 255
    return image, torch.stack([p.field.mask for p in phantoms]).float()


@every_recipe
def test_same_seed_same_pixels_at_any_batch_split(
    degrade: Degradation, batch: tuple[Tensor, Tensor]
) -> None:
    image, mask = batch
    keys = torch.arange(8) + 100
    whole = degrade(image, mask, CounterRNG(keys, seed=5))
    for size in (1, 3):
        parts = [
            degrade(i, m, CounterRNG(k, seed=5))
            for i, m, k in zip(image.split(size), mask.split(size), keys.split(size), strict=True)
        ]
        assert torch.allclose(torch.cat(parts), whole, atol=1e-5)
    assert not torch.allclose(degrade(image, mask, CounterRNG(keys, seed=6)), whole, atol=1e-2)


@every_recipe
def test_neither_the_order_nor_the_neighbours_matter(
    degrade: Degradation, batch: tuple[Tensor, Tensor]
) -> None:
    image, mask = batch
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    keys = torch.arange(8)
    straight = degrade(image, mask, CounterRNG(keys))
    shuffled = degrade(image[order], mask[order], CounterRNG(keys[order]))
    assert torch.allclose(shuffled, straight[order], atol=1e-5)


@every_recipe
def test_large_batches_are_worked_on_in_parts(degrade: Degradation) -> None:
    phantom = draw_phantom(1, 300)  # three photographs fill a chunk
    image = (phantom.image[None].float() / 255).expand(5, -1, -1, -1)
    mask = phantom.field.mask[None].float().expand(5, -1, -1, -1)
    whole = degrade(image, mask, CounterRNG(torch.arange(5)))
    for place in range(5):
        alone = degrade(image[:1], mask[:1], CounterRNG(torch.tensor([place])))
        assert torch.allclose(whole[place], alone[0], atol=1e-5)


@every_recipe
def test_records_replay_whole_recipes(degrade: Degradation, batch: tuple[Tensor, Tensor]) -> None:
    image, mask = batch
    drawn = degrade.draw(CounterRNG(torch.arange(8)))
    lines = [json.dumps(record) for record in drawn.records()]
    read = Parameters.from_records([json.loads(line) for line in lines], degrade.factors)
    first, second = (degrade.apply(image, mask, parameters) for parameters in (drawn, read))
    assert torch.equal(first, second)
    assert torch.equal(first, degrade(image, mask, CounterRNG(torch.arange(8))))
    assert len(set(lines)) > 1


@every_recipe
def test_global_randomness_and_the_given_photographs_are_left_alone(
    degrade: Degradation, batch: tuple[Tensor, Tensor]
) -> None:
    image, mask = (tensor.clone() for tensor in batch)
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.random.get_rng_state()
        results.append(degrade(image, mask, CounterRNG(torch.arange(8))))
        assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(*results)
    assert torch.equal(image, batch[0]), "factors work in place, but on their own copy"
    assert torch.equal(mask, batch[1])


@every_recipe
def test_results_are_photographs(degrade: Degradation, batch: tuple[Tensor, Tensor]) -> None:
    image, mask = batch
    result = degrade(image, mask, CounterRNG(torch.arange(8)))
    assert result.dtype == torch.float32
    assert float(result.min()) >= 0.0
    assert float(result.max()) <= 1.0
    assert not bool((result * (1 - mask)).any()), "black outside the field"


@every_recipe
def test_autocast_changes_nothing(degrade: Degradation, batch: tuple[Tensor, Tensor]) -> None:
    image, mask = batch
    plain = degrade(image, mask, CounterRNG(torch.arange(8)))
    with torch.autocast("cpu", torch.bfloat16):
        cast = degrade(image, mask, CounterRNG(torch.arange(8)))
    assert cast.dtype == torch.float32
    assert torch.equal(cast, plain)


@every_recipe
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_makes_the_same(degrade: Degradation, batch: tuple[Tensor, Tensor]) -> None:
    image, mask = batch
    here = degrade(image, mask, CounterRNG(torch.arange(8)))
    there = degrade(image.cuda(), mask.cuda(), CounterRNG(torch.arange(8)))
    assert torch.allclose(here, there.cpu(), atol=1e-3)


@pytest.mark.parametrize("degrade", [RECIPES["cofe"], RECIPES["mixed"]], ids=["cofe", "mixed"])
def test_a_compiled_recipe_makes_the_same(
    degrade: Degradation, batch: tuple[Tensor, Tensor]
) -> None:
    """Tracing is what can go wrong here; the backend that only runs the graph is fast."""
    image, mask = (tensor[:2] for tensor in batch)
    torch.compiler.reset()
    compiled = torch.compile(degrade.__call__, backend="aot_eager")
    for keys in (torch.tensor([1, 2]), torch.tensor([8, 9])):
        plain = degrade(image, mask, CounterRNG(keys))
        assert torch.allclose(compiled(image, mask, CounterRNG(keys)), plain, atol=1e-5)


@pytest.mark.parametrize("name", TYPES)
def test_each_type_does_what_its_name_says(batch: tuple[Tensor, Tensor], name: str) -> None:
    image, mask = batch
    image = image * mask
    degrade = CofeDegradation((name,))
    result = degrade(image, mask, CounterRNG(torch.arange(8)))
    change = (result - image).abs().mean(dim=(1, 2, 3)) / mask.mean(dim=(1, 2, 3))
    assert bool((change > 0.03).all()) == ("illumination" in name)
    if name == "spots":  # they only add light
        assert bool((result >= image - 1e-6).all())
    records = degrade.draw(CounterRNG(torch.arange(8))).records()
    parts = {"illumination": {"colour", "halo", "hole"}, "spots": {"spots"}, "blur": {"blur"}}
    wanted = set().union(*(parts[part] for part in name.split("_")))
    assert all(set(record) == wanted for record in records)


def test_given_codes_decide(batch: tuple[Tensor, Tensor]) -> None:
    image, mask = batch
    rng = CounterRNG(torch.arange(8))
    codes = torch.tensor([type_code("spots")] * 4 + [type_code("illumination")] * 4)
    mixed = CofeDegradation()(image, mask, rng, codes)
    spots, light = (CofeDegradation((n,))(image, mask, rng) for n in ("spots", "illumination"))
    assert torch.allclose(mixed[:4], spots[:4], atol=1e-6)
    assert torch.allclose(mixed[4:], light[4:], atol=1e-6)


def test_a_code_that_is_none_is_refused() -> None:
    for wrong in (0, 8):
        codes = torch.tensor([1, wrong])
        refused(
            lambda c=codes: CofeDegradation().choose(CounterRNG(torch.arange(2)), c),
            ValueError,
            "codes",
        )  # type: ignore[misc]


def test_every_drawn_parameter_is_one_that_is_accepted() -> None:
    for degrade in RECIPES.values():
        for name, factor in degrade.factors.items():
            for severity in (0.0, 1.0):
                drawn = degrade.draw_chosen(
                    CounterRNG(torch.arange(300)), {name: torch.full((300,), max(severity, 1e-3))}
                )
                assert set(drawn.parts[name].values) == set(factor.parameters)
                Parameters.from_records(drawn.records(), degrade.factors)


def test_all_types_are_drawn_evenly() -> None:
    severity = CofeDegradation().choose(CounterRNG(torch.arange(7000)))
    codes = severity["hole"] + 2 * severity["spots"] + 4 * severity["blur"]
    counts = torch.bincount(codes.long(), minlength=8)[1:]
    assert int(counts.min()) > 880
    assert int(counts.max()) < 1120


@pytest.mark.parametrize("preset", PRESETS)
def test_a_mixture_strikes_as_often_and_as_badly_as_it_says(preset: str) -> None:
    chosen = FundusDegradation(preset).choose(CounterRNG(torch.arange(4000)))
    assert list(chosen) == list(PRESETS[preset])
    for name, share in PRESETS[preset].items():
        struck = chosen[name][chosen[name] > 0]
        assert len(struck) / 4000 == pytest.approx(share.probability, abs=0.03), name
        assert float(struck.min()) == pytest.approx(share.least, abs=0.02), name
        assert float(struck.max()) == pytest.approx(share.most, abs=0.02), name
    pairs = torch.stack([chosen[name] for name in list(chosen)[:2]]) > 0
    both = float(pairs.all(dim=0).float().mean())
    alone = float(pairs[0].float().mean() * pairs[1].float().mean())
    assert both == pytest.approx(alone, abs=0.03), "independently of each other"


def test_severity_scales_every_factor(batch: tuple[Tensor, Tensor]) -> None:
    image, mask = batch
    image = image * mask
    rng = CounterRNG(torch.arange(8))
    damage = [
        float((FundusDegradation(severity=s)(image, mask, rng) - image).square().mean())
        for s in (0.0, 0.3, 1.0)
    ]
    assert damage[0] == 0.0
    assert 0.0 < damage[1] < 0.5 * damage[2]


def test_a_share_of_the_photographs_is_treated_gently() -> None:
    rng = CounterRNG(torch.arange(2000))
    plain = FundusDegradation(mix={"haze": [1, 1, 1]}).choose(rng)["haze"]
    gentle = FundusDegradation(mix={"haze": [1, 1, 1]}, gentle=0.4).choose(rng)["haze"]
    assert bool((plain == 1).all())
    touched = gentle < 1
    assert float(touched.float().mean()) == pytest.approx(0.4, abs=0.04)
    assert float(gentle[touched].mean()) == pytest.approx(0.5, abs=0.04)


def test_a_share_of_the_photographs_is_only_blurred() -> None:
    rng = CounterRNG(torch.arange(2000))
    records = FundusDegradation(blurred=0.4).draw(rng).records()
    usual = FundusDegradation().draw(rng).records()
    only = [set(record) <= set(BLURRED) for record in records]
    least = sum(set(record) <= set(BLURRED) for record in usual)
    assert sum(only) == pytest.approx(800 + 0.6 * least, abs=80)
    pairs = zip(records, usual, only, strict=True)
    assert all(set(one) == set(two) for one, two, alone in pairs if not alone)
    blur = FundusDegradation("blurred").choose(rng)["blur"]
    gentle = FundusDegradation(blurred=1.0, gentle=1.0).choose(rng)["blur"]
    assert float(gentle.mean()) < 0.6 * float(blur.mean())


def test_a_mix_of_ones_own() -> None:
    degrade = FundusDegradation(mix={"dust": [1.0, 0.2, 0.4]})
    assert all(set(r) == {"dust"} for r in degrade.draw(CounterRNG(torch.arange(9))).records())


def refused(call: Callable[[], Any], kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        call()


@every_recipe
def test_bad_input_is_refused_before_any_pixel_is_touched(
    degrade: Degradation, batch: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    image, mask = batch
    rng = CounterRNG(torch.arange(8))

    def touched(*_: Any) -> None:
        raise AssertionError("a pixel was touched")

    monkeypatch.setattr(degrade, "_apply", touched)
    one_bad = image.clone()
    one_bad[7, 2, 63, 63] = float("nan")
    for wrong, kind, told in (
        ((image * 255).to(torch.uint8), TypeError, "float"),
        (image * 2, ValueError, r"\[0, 1\]"),
        (image - 0.5, ValueError, r"\[0, 1\]"),
        (one_bad, ValueError, r"\[0, 1\]"),
        (image[:, :1], ValueError, r"\(B, 3, H, W\)"),
        (image[0], ValueError, r"\(B, 3, H, W\)"),
    ):
        refused(lambda wrong=wrong: degrade(wrong, mask, rng), kind, told)  # type: ignore[misc]
    refused(lambda: degrade(image, mask[..., :32, :], rng), ValueError, "does not fit")
    for mistake in (mask * 255, mask * 0.5, mask.where(mask > 0, torch.nan)):
        refused(lambda mistake=mistake: degrade(image, mistake, rng), ValueError, "must be 0")  # type: ignore[misc]
    empty = mask.clone()
    empty[3] = 0
    refused(lambda: degrade(image, empty, rng), ValueError, "empty")
    few = degrade.draw(rng).between(0, 7)
    refused(lambda: degrade.apply(image, mask, few), ValueError, "7 parameter sets for 8")


def test_senseless_settings_are_refused() -> None:
    for call, told in (
        (lambda: CofeDegradation(("fog",)), "unknown degradation type"),
        (lambda: CofeDegradation(()), "at least one"),
        (lambda: CofeDegradation("published"), "use variant='published'"),
        (lambda: CofeDegradation(variant="new"), "variant"),  # type: ignore[arg-type]
        (lambda: FundusDegradation("studio"), "unknown preset 'studio'"),
        (lambda: FundusDegradation(severity=1.5), "severity"),
        (lambda: FundusDegradation(gentle=-0.1), "gentle"),
        (lambda: FundusDegradation(blurred=1.1), "blurred"),
        (lambda: FundusDegradation(mix={"fog": [1, 0, 1]}), "unknown factor 'fog'"),
        (lambda: FundusDegradation(mix={"haze": [1, 0.8, 0.2]}), "'haze' needs"),
        (lambda: FundusDegradation(mix={"haze": [2, 0.1, 0.2]}), "'haze' needs"),
        (lambda: FundusDegradation(mix={"haze": [1, 0.1]}), "'haze' needs"),
        (lambda: FundusDegradation(mix={"haze": 0.5}), "'haze' needs"),  # type: ignore[dict-item]
    ):
        refused(call, ValueError, told)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"fog": {}}, "unknown factor 'fog'"),
        ({"exposure": {}}, "'exposure' needs stops; got none"),
        ({"exposure": {"stops": 1.0, "seed": 1}}, "'exposure' needs stops"),
        ({"exposure": {"stops": "many"}}, r"'stops' .* must lie in \[-6, 6\], got 'many'"),
        ({"exposure": {"stops": float("inf")}}, r"must lie in \[-6, 6\], got inf"),
        ({"exposure": {"stops": float("nan")}}, r"must lie in \[-6, 6\], got nan"),
        ({"exposure": {"stops": [1.0]}}, r"'stops' must be a number, got \[1.0\]"),
        ({"noise": {"shot": 0, "read": 0, "seed": 1.5}}, "'seed' must be an integer"),
        ({"exposure": 3}, "'exposure' needs stops; got none"),
        ({"cast": {"red": -1, "green": 1, "blue": 1}}, r"'red' \(gain of linear light, red\)"),
        (
            {"spots": {"x": [0], "y": [0], "radius": [0.1], "edge": [0.01], "light": [0.1]}},
            "'radius' .* must lie in",
        ),
        (
            {"spots": {"x": [0], "y": [0], "radius": [0.01, 0.01], "edge": [0], "light": [0]}},
            "lists must all have the same length",
        ),
        (
            {"spots": {"x": 0, "y": [0], "radius": [0.01], "edge": [0], "light": [0]}},
            "'x' must be a list of numbers",
        ),
    ],
)
def test_broken_records_are_refused(record: Any, told: str) -> None:
    refused(
        lambda: Parameters.from_records([record], FundusDegradation().factors), ValueError, told
    )


def test_shorter_lists_end_in_nothing(batch: tuple[Tensor, Tensor]) -> None:
    image, mask = (tensor[:2] * batch[1][:2] for tensor in batch)
    one = {"x": [0.1], "y": [0.0], "radius": [0.02], "edge": [0.01], "light": [0.3]}
    two = {name: values * 2 for name, values in one.items()}
    factors = FundusDegradation().factors
    both = Parameters.from_records([{"spots": one}, {"spots": two}], factors)
    alone = Parameters.from_records([{"spots": one}], factors)
    result = FundusDegradation().apply(image, mask, both)
    assert torch.allclose(result[:1], FundusDegradation().apply(image[:1], mask[:1], alone))


def test_uniform_draws_are_uniform_and_independent() -> None:
    rng = CounterRNG(torch.arange(20_000))
    a, b = rng.uniform("a", 0.0, 1.0), rng.uniform("b", 0.0, 1.0)
    for numbers in (a, b, rng.uniform("c", 0.0, 1.0, 4)[:, 2]):
        histogram = torch.histc(numbers, 10, 0, 1)
        assert float((histogram - 2000).abs().max()) < 200
    assert abs(float(torch.corrcoef(torch.stack([a, b]))[0, 1])) < 0.03
    assert abs(float(torch.corrcoef(torch.stack([a[1:], a[:-1]]))[0, 1])) < 0.03
    forked = rng.fork("view").uniform("a", 0.0, 1.0)
    assert abs(float(torch.corrcoef(torch.stack([a, forked]))[0, 1])) < 0.03
    bits = rng.bits("a")
    assert len(bits.unique()) > 19_990
    assert 0 <= int(bits.min()) < int(bits.max()) < 1 << 32
