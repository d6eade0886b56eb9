"""Terms of an enhancer's loss: what counts, what does not, and that the usual ones are as ever."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from data_modules.batch import Batch
from magenet.errors import UsageError
from magenet.losses import (
    AdversarialTerm,
    BandLoss,
    BandTerms,
    CharbonnierTerm,
    EdgeTerm,
    EnhancementLoss,
    FrequencyTerm,
    LossTerm,
    LossTerms,
    PerceptualTerm,
    PictureTerm,
    PreservationTerm,
    RestorationTerms,
    Restored,
    SegmenterTarget,
    SSIMTerm,
    StructureLoss,
    StructureTerm,
    VesselMaskTarget,
)
from magenet.models import EnhancerOutput, VesselSegmenter
from magenet.models.window import Window

SIDE = 48


def photographs(seed: int = 0, width: int = SIDE) -> Tensor:
    return torch.rand(2, 3, SIDE, width, generator=torch.Generator().manual_seed(seed))


def batch(windows: bool = False, width: int = SIDE) -> Batch:
    mask = torch.zeros(2, 1, SIDE, width)
    mask[..., 8:40, 8:40] = 1.0
    given: dict[str, Any] = {
        "image_clean": photographs(0, width) * mask,
        "image_degraded": photographs(1, width) * mask, "mask_fov": mask,
        "mask_vessel": (photographs(2, width)[:, :1] > 0.8).float(),
        "vessel_known": torch.tensor([True, False]),
    }  # fmt: skip
    if windows:
        given |= {
            "image_target": photographs(3, width) * mask, "mask_visible": mask, "window_size": 16,
            "window_corner": torch.tensor([[[0, 8], [16, 16]], [[8, 8], [32, 0]]]),
        }  # fmt: skip
    return given  # type: ignore[return-value]


def output(image: Tensor, pairs: Batch) -> EnhancerOutput:
    small = torch.nn.functional.avg_pool2d(image, 2)
    logits = torch.linspace(-2, 2, 2 * SIDE**2).reshape(2, 1, SIDE, SIDE)
    if "window_corner" not in pairs:
        return EnhancerOutput((small, image), logits)
    window = restored(EnhancerOutput((image,)), pairs).window
    assert window is not None
    return EnhancerOutput((small, window.cut(image)), logits[..., ::2, ::2])


def restored(found: EnhancerOutput, pairs: Batch, **options: Any) -> Restored:
    return Restored(found, pairs, options.pop("target", VesselMaskTarget()), **options)


PICTURES = [
    CharbonnierTerm(), EdgeTerm(), FrequencyTerm(), SSIMTerm(), PerceptualTerm(),
]  # fmt: skip


@pytest.mark.parametrize("term", PICTURES, ids=lambda term: type(term).__name__)
@pytest.mark.parametrize("windows", [False, True])
def test_a_picture_term_falls_towards_the_target_and_sees_the_field_alone(
    term: PictureTerm, windows: bool
) -> None:
    pairs = batch(windows)
    target = restored(EnhancerOutput((photographs(),)), pairs).target
    noise = 0.1 * torch.randn(target.shape)
    losses = [
        float(term(restored(output(target + share * noise, pairs), pairs)))
        for share in (0.0, 0.5, 1.0)
    ]
    assert losses == sorted(losses)
    assert losses[0] < 0.01
    assert losses[2] > 1.5 * losses[0] + 1e-4
    far = target.clone()
    far[..., :1, :1] = 5.0  # further from the field than an edge reaches
    assert float(term(restored(output(far, pairs), pairs))) == pytest.approx(losses[0], abs=1e-6)


def test_every_picture_term_reaches_the_network() -> None:
    for term in PICTURES:
        image = photographs(4).requires_grad_()
        term(restored(output(image, batch()), batch())).backward()
        assert image.grad is not None
        assert float(image.grad.abs().sum()) > 0.0
        assert bool(image.grad.isfinite().all())
        assert all(p.grad is None for p in term.parameters()), "what is compared with stays"


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (lambda x: x.abs(), r"Map returned a tensor \(2, 3, \d+, \d+\): a loss is one number"),
        (lambda x: 0.5, "Map returned 0.5: a loss is one number"),
    ],
)
def test_a_term_that_returns_no_number_is_refused(returned: Any, told: str) -> None:
    class Map(PictureTerm):
        def compare(self, estimate: Tensor, target: Tensor, mask: Tensor) -> Tensor:
            found: Tensor = returned(estimate - target)
            return found

    terms = LossTerms({"map": Map()}, VesselMaskTarget())
    with pytest.raises(UsageError, match=told):
        terms(restored(output(photographs(), batch()), batch()))


def test_frequencies_are_weighed_as_in_mimo_unet() -> None:
    """Its transform is not divided by the size: a single wrong pixel counts for its mean error."""
    pairs = batch()
    target = restored(EnhancerOutput((photographs(),)), pairs).target
    wrong = target.clone()
    inside = pairs["mask_fov"][0, 0].nonzero()[0]
    wrong[:, :, inside[0], inside[1]] += 0.5
    spectrum = torch.fft.fft2(torch.zeros(SIDE, SIDE).index_put(tuple(inside), torch.tensor(0.5)))
    both = torch.view_as_real(spectrum[:, : SIDE // 2 + 1]).abs().mean()
    seen = float(pairs["mask_fov"][:, 0, inside[0], inside[1]].mean())
    assert float(FrequencyTerm()(restored(output(wrong, pairs), pairs))) == pytest.approx(
        float(both) * seen, rel=1e-4
    )


def test_charbonnier_and_edges_are_mprnets_loss() -> None:
    pairs = batch()
    seen = restored(output(photographs(4), pairs), pairs)
    whole = EnhancementLoss(0.05)(seen.output, pairs["image_clean"], pairs["mask_fov"])
    parts = CharbonnierTerm()(seen) + 0.05 * EdgeTerm()(seen)
    assert float(whole) == pytest.approx(float(parts), rel=1e-5)


def test_the_usual_terms_are_what_they_always_were() -> None:
    """Of whole photographs: MPRNet's loss, then the maps, with the target read once for both."""
    torch.manual_seed(0)
    target = SegmenterTarget(VesselSegmenter(width=8, growth=4, blocks=1))
    pairs = batch()
    found = output(photographs(4), pairs)
    usual = {"enhancement": RestorationTerms(0.05), "structure": StructureTerm(0.1)}
    terms = LossTerms({**usual, "preservation": PreservationTerm(0.2)}, target)
    wanted = target(pairs["image_clean"], pairs["mask_vessel"], pairs["vessel_known"])
    loss, mask = StructureLoss(), pairs["mask_fov"]
    expected = {
        "enhancement": EnhancementLoss(0.05)(found, pairs["image_clean"], mask),
        "structure": 0.1 * loss(found.structure_logits, wanted, mask),
        "preservation": 0.2 * loss(target.read(found.image * mask), wanted, mask),
    }
    given = terms(restored(found, pairs, target=target))
    assert list(given) == list(expected)
    for name, term in expected.items():
        assert torch.equal(given[name], term), name


def test_in_windows_the_usual_loss_is_that_of_bands() -> None:
    pairs = batch(windows=True)
    found = output(photographs(4), pairs)
    found = found._replace(log_error=torch.full((2, 2, 6, 6), -3.0))
    window = Window(pairs["window_corner"].tolist(), 16, 16, (SIDE, SIDE))
    bands = BandLoss(levels=2, detail_weight=3.0)
    expected = bands(
        found, pairs["image_degraded"], pairs["image_target"], pairs["mask_fov"], window,
        pairs["image_clean"],
    )  # fmt: skip
    given = LossTerms({"enhancement": RestorationTerms(bands=bands)}, VesselMaskTarget())(
        restored(found, pairs)
    )
    assert list(given) == list(expected)
    assert all(torch.equal(given[name], expected[name]) for name in expected)


def test_bands_of_whole_photographs_weigh_detail() -> None:
    pairs = batch()
    found = output(photographs(4), pairs)
    terms = LossTerms({"bands": BandTerms(2.0)}, VesselMaskTarget())(restored(found, pairs))
    assert set(terms) == {"bands_light", "bands_detail"}
    once = BandTerms(1.0)(restored(found, pairs))
    assert float(sum(terms.values())) == pytest.approx(2.0 * float(once), rel=1e-5)


def test_a_network_without_a_map_has_no_structure_term() -> None:
    pairs = batch()
    seen = restored(EnhancerOutput((photographs(4),)), pairs)
    assert LossTerms({"structure": StructureTerm()}, VesselMaskTarget())(seen) == {}


@pytest.mark.parametrize("width", [SIDE, 64])
@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize("stride", [1, 2, 5])
def test_a_map_is_compared_at_its_own_size_and_all_of_the_field_counts(
    stride: int, windows: bool, width: int
) -> None:
    """A network that sees the whole eye reduced has a smaller map, with windows and without."""
    pairs = batch(windows, width)
    pairs["mask_vessel"] = torch.zeros_like(pairs["mask_fov"])
    pairs["mask_vessel"][..., :24, :] = 1.0
    pairs["vessel_known"] = torch.tensor([True, True])
    size = [-(-side // stride) for side in (SIDE, width)]
    upper = functional.adaptive_avg_pool2d(pairs["mask_vessel"], size) * 16 - 8
    losses = []
    for logits in (upper, -upper):
        logits.requires_grad_()
        found = EnhancerOutput((photographs(4, width),), logits)
        loss = StructureTerm()(restored(found, pairs))
        assert loss is not None
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(float(loss.detach()))
        assert logits.grad is not None
        inside = functional.adaptive_avg_pool2d(pairs["mask_fov"], size) == 1.0
        assert torch.equal(logits.grad != 0.0, inside)
        logits.requires_grad_(False)
    assert losses[0] < 0.1 * losses[1]


def test_no_map_is_taught_where_the_retina_cannot_be_seen() -> None:
    pairs = batch(windows=True)
    hidden = pairs["mask_fov"].clone()
    hidden[..., :24, :] = 0.0
    pairs |= {"mask_visible": hidden, "vessel_known": torch.tensor([True, True])}
    logits = torch.zeros(2, 1, SIDE // 2, SIDE // 2, requires_grad=True)
    loss = StructureTerm()(restored(EnhancerOutput((photographs(4),), logits), pairs))
    assert loss is not None
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert torch.equal(logits.grad != 0.0, functional.avg_pool2d(hidden, 2) == 1.0)


def test_structure_is_read_off_the_field_alone() -> None:
    """A stage may say anything outside; a segmenter that sees it finds other vessels inside."""
    torch.manual_seed(0)
    target = SegmenterTarget(VesselSegmenter(width=8, growth=4, blocks=1))
    for pairs in (batch(), batch(windows=True)):
        image = photographs(4)
        wild = torch.where(pairs["mask_fov"] > 0, image, 1.0 - image)
        losses = [
            PreservationTerm()(restored(output(shown, pairs), pairs, target=target))
            for shown in (image, wild)
        ]
        assert torch.equal(*losses)


def test_null_and_a_weight_of_nothing_leave_a_term_out() -> None:
    terms: dict[str, LossTerm | None] = {
        "a": None, "b": SSIMTerm(weight=0.0), "c": CharbonnierTerm(),
    }  # fmt: skip
    assert list(LossTerms(terms, VesselMaskTarget())) == ["c"]
    with pytest.raises(ValueError, match="nothing to learn"):
        LossTerms({"a": None}, VesselMaskTarget())
    with pytest.raises(ValueError, match="negative"):
        SSIMTerm(weight=-1.0)
    with pytest.raises(ValueError, match="'mine' needs a structure target that reads photographs"):
        LossTerms({"mine": PreservationTerm()}, VesselMaskTarget())


def test_the_critic_descends_what_the_enhancer_climbs() -> None:
    torch.manual_seed(0)
    term, pairs = AdversarialTerm(width=8, layers=2), batch()
    image = photographs(5).requires_grad_()
    real: Batch = {"mask_fov": pairs["mask_fov"]}
    seen = restored(output(photographs(4), pairs), pairs, real=(EnhancerOutput((image,)), real))
    loss = term(seen)
    assert loss is not None
    loss.backward()
    step = 0.1
    critic = [p for p in term.parameters() if p.requires_grad]
    term.eval()  # spectral normalisation stays as it is
    with torch.no_grad():
        before = term(seen)
        moved = image - step * image.grad / image.grad.norm()  # type: ignore[union-attr, operator]
        climbed = term(restored(seen.output, pairs, real=(EnhancerOutput((moved,)), real)))
        for parameter in critic:
            assert parameter.grad is not None
            parameter.sub_(step * parameter.grad)
        descended = term(seen)
    assert before is not None
    assert climbed is not None
    assert descended is not None
    assert float(climbed) > float(before) > float(descended)


def test_the_critic_knows_the_clean_photographs_and_not_the_smooth_targets() -> None:
    term, pairs = AdversarialTerm(width=8, layers=2).eval(), batch(windows=True)
    real: Batch = {"mask_fov": pairs["mask_fov"]}
    costs = []
    for other in ("", "image_target", "image_clean"):
        given: Batch = {**pairs}
        if other:
            given[other] = photographs(7) * pairs["mask_fov"]  # type: ignore[literal-required]
        shown = (EnhancerOutput((photographs(5),)), real)
        costs.append(term(restored(output(photographs(4), pairs), given, real=shown)))
    assert torch.equal(costs[0], costs[1])
    assert not torch.equal(costs[0], costs[2])


def test_a_detail_stage_without_windows_is_refused() -> None:
    pairs = batch()
    shown = output(photographs(4), pairs)._replace(log_error=torch.zeros(2, 2, 3, 3))
    terms = LossTerms({"enhancement": RestorationTerms()}, VesselMaskTarget())
    with pytest.raises(UsageError, match="detail_widths learns in windows"):
        terms(restored(shown, pairs))


def test_no_loss_hides_another_of_its_name() -> None:
    """The band loss is logged as `light`, `detail` and so on."""
    pairs = batch(windows=True)
    shown = output(photographs(4), pairs)
    terms = LossTerms(
        {"enhancement": RestorationTerms(), "detail": FrequencyTerm()}, VesselMaskTarget()
    )
    with pytest.raises(UsageError, match="the loss 'detail': another is logged as 'detail'"):
        terms(restored(shown, pairs))
    for name in ("loss", "consistency_image"):
        with pytest.raises(ValueError, match=f"'{name}' is logged already; rename"):
            LossTerms({name: FrequencyTerm()}, VesselMaskTarget())


def test_no_patch_of_the_critic_shows_the_outline_of_the_field() -> None:
    term = AdversarialTerm(width=8)
    term.eval()  # in training each pass normalises the weights anew
    rows = torch.arange(96.0)
    mask = ((rows[:, None] - 48).square() + (rows - 48).square() < 44**2).float()[None, None]
    grey = torch.full((1, 3, 96, 96), 0.5)
    with_outline, without = (float(term._entropy(1.0, x, mask)) for x in (grey * mask, grey))
    assert with_outline == pytest.approx(without, abs=1e-6)
    assert without > 0.0


def test_without_real_photographs_the_critic_rests_or_is_refused() -> None:
    pairs = batch()
    terms = LossTerms({"misled": AdversarialTerm(width=8)}, VesselMaskTarget())
    assert terms(restored(output(photographs(4), pairs), pairs)) == {}
    with pytest.raises(UsageError, match="'misled' needs real photographs: train a MeanTeacher"):
        terms.require_no_real_photographs()
    LossTerms({"b": SSIMTerm()}, VesselMaskTarget()).require_no_real_photographs()
