import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from magenet.losses import BandLoss
from magenet.losses.bands import ERROR_BLOCK, LEAST_ERROR, best_log_gain
from magenet.models import EnhancerOutput, Window

SIDE = 64
FRAME = (96, 96)
MASK = torch.ones(2, 1, *FRAME)


def smooth(batch: int, height: int, width: int) -> Tensor:
    coarse = torch.rand(batch, 3, 4, 4)
    return functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0.1, 0.9)


WINDOW = Window([[(16, 32)], [(16, 32)]], SIDE, SIDE, FRAME)
"""One window of each of two photographs."""


def pair(error: Tensor | float) -> tuple[EnhancerOutput, Tensor]:
    """Return estimates of photographs, the last one wrong by so much, and the photographs."""
    target = smooth(2, *FRAME)
    first = functional.interpolate(target, (24, 24), mode="area")
    return EnhancerOutput((first, WINDOW.cut(target) + error)), target


def checker(size: float) -> Tensor:
    """Return an error that changes its sign from pixel to pixel."""
    sign = torch.arange(SIDE)[:, None] + torch.arange(SIDE)
    return size * (1 - 2.0 * (sign % 2)).expand(2, 3, -1, -1)


def terms(
    output: EnhancerOutput, target: Tensor, mask: Tensor = MASK, degraded: Tensor | None = None
) -> dict[str, float]:
    """Return the terms; the photograph is as wrong as the last estimate if none is given."""
    found = BandLoss()(output, seen(output, target, degraded), target, mask, WINDOW)
    return {name: float(term) for name, term in found.items()}


def seen(output: EnhancerOutput, target: Tensor, degraded: Tensor | None = None) -> Tensor:
    if degraded is not None:
        return degraded
    last = target.clone()
    last[..., 16 : 16 + SIDE, 32 : 32 + SIDE] = output.stages[-1].detach()
    return last


def test_photographs_that_are_right_cost_nothing() -> None:
    found = terms(*pair(0.0))
    assert found["light"] == pytest.approx(0.0, abs=1e-7)
    assert found["detail"] == pytest.approx(0.0, abs=1e-7)


def test_fine_errors_are_detail_and_smooth_errors_are_light() -> None:
    none, fine, even = (terms(*pair(error)) for error in (0.0, checker(0.05), 0.05))
    assert fine["detail"] == pytest.approx(0.03, rel=0.01), "as wrong as the photograph"
    assert none["detail"] == 0.0
    assert fine["light"] - none["light"] < 0.0005
    assert even["light"] - none["light"] == pytest.approx(0.05, rel=0.01)
    assert even["detail"] < 0.0005


def test_a_vessel_weighs_more_than_as_much_error_spread_as_noise() -> None:
    """Below a grey level or two errors count by their squares: the few that a blur took away."""
    spread = checker(0.002)
    vessel = torch.zeros_like(spread)
    vessel[..., ::8] = 8 * spread[..., ::8]
    assert float(vessel.abs().mean()) == pytest.approx(float(spread.abs().mean()))
    degraded = seen(*pair(checker(0.02)))
    costs = []
    for error in (vessel, spread):
        output, target = pair(0.0)
        wrong = output._replace(stages=(output.stages[0], output.stages[1] + error))
        costs.append(terms(wrong, target, degraded=degraded)["detail"])
    assert costs[0] > 2 * costs[1]


@pytest.mark.parametrize("size", [0.01, 0.1])
def test_a_photograph_counts_alike_whether_much_or_little_is_wrong(size: float) -> None:
    """Else strong noise would be all that is learned, and a weak blur nothing."""
    output, target = pair(checker(size))
    degraded = seen(output, target)
    halved = output._replace(stages=(output.stages[0], output.stages[1] - checker(size / 2)))
    cost = terms(halved, target, degraded=degraded)["detail"]
    assert 0.03 / 4 < cost < 0.03 / 2
    slight, clean = pair(checker(1e-4))
    assert terms(slight, clean)["detail"] < 0.03 / 100, "nothing to win"


def test_every_earlier_estimate_is_compared_at_its_own_size() -> None:
    output, target = pair(0.0)
    first, last = output.stages
    wrong = terms(EnhancerOutput((first + 0.05, last)), target)
    assert wrong["light"] == pytest.approx(0.05, rel=0.02)
    twice = terms(EnhancerOutput((first + 0.05, first - 0.05, last)), target)
    assert twice["light"] == pytest.approx(0.10, rel=0.02)
    assert twice["detail"] == wrong["detail"]


def test_fine_and_smooth_errors_of_one_size_pull_alike() -> None:
    """One mean over all pixels would pull at fine errors a hundred times less than at light."""
    pulls = []
    for error in (checker(0.02), torch.full((2, 3, SIDE, SIDE), 0.02)):
        output, target = pair(error)
        last = output.stages[-1].requires_grad_()
        found = BandLoss()(output, seen(output, target), target, MASK, WINDOW)
        loss = sum(found.values(), torch.zeros(()))
        (gradient,) = torch.autograd.grad(loss, last)
        # The error falls by this much when the estimate moves towards the truth as a whole.
        pulls.append(float((gradient * error.sign()).sum()))
    assert min(pulls) > 0
    assert 0.2 < pulls[0] / pulls[1] < 5


@pytest.mark.parametrize("size", [0.004, 0.03, 0.2])
def test_the_likeliest_error_is_the_mean_absolute_one(size: float) -> None:
    output, target = pair(size * torch.randn(2, 3, SIDE, SIDE).sign())

    def cost(log_error: float) -> float:
        field = torch.full((2, 2, 12, 12), log_error)
        return terms(output._replace(log_error=field), target)["error"]

    best = math.log(size - LEAST_ERROR)
    assert cost(best) < min(cost(best - 0.1), cost(best + 0.1))
    field = torch.full((2, 2, 12, 12), best, requires_grad=True)
    term = BandLoss()(output._replace(log_error=field), seen(output, target), target, MASK, WINDOW)[
        "error"
    ]
    (gradient,) = torch.autograd.grad(term, field)
    assert float(gradient.abs().max()) < 1e-6


def test_the_errors_before_and_after_are_told_apart() -> None:
    output, target = pair(0.01)
    field = torch.tensor([0.1, 0.01]).log()[None, :, None, None].expand(2, 2, 12, 12)
    right, swapped = (
        terms(output._replace(log_error=given), target, degraded=target + 0.1)["error"]
        for given in (field, field.flip(1))
    )
    scale = [math.log(0.01) + 1, math.log(0.1) + 1]
    assert right == pytest.approx(0.02 * sum(scale) / 2, rel=0.02)
    assert swapped > right + 0.01


def test_the_error_is_told_place_by_place() -> None:
    """The field is that of the whole photograph: each window is judged by its own part of it."""
    error = torch.full((2, 3, SIDE, SIDE), 0.01)
    error[..., SIDE // 2 :] = 0.1
    output, target = pair(error)
    field = torch.full((2, 2, 96, 96), math.log(0.01))
    field[..., 32 + SIDE // 2 :] = math.log(0.1)
    costs = [
        terms(output._replace(log_error=given), target)["error"]
        for given in (field, field.flip(-1))
    ]
    scale = [math.log(0.01) + 1, math.log(0.1) + 1]
    assert costs[0] == pytest.approx(0.02 * sum(scale) / 2, rel=0.02)
    assert costs[1] > costs[0] + 0.01


def test_the_error_is_the_distance_to_the_clean_photograph_whatever_the_target() -> None:
    """Where nothing is known the target is what is there: it is reached, and says nothing."""
    output, target = pair(0.0)
    told = output._replace(log_error=torch.full((2, 2, 12, 12), math.log(0.1)))
    found = BandLoss()(told, target, target, MASK, WINDOW, clean=target + 0.1)
    assert float(found["light"]) == pytest.approx(0.0, abs=1e-7)
    wanted = 0.02 * (0.1 / (0.1 + LEAST_ERROR) + math.log(0.1 + LEAST_ERROR))
    assert float(found["error"]) == pytest.approx(wanted, rel=1e-3)
    without = BandLoss()(told, target, target, MASK, WINDOW)
    assert float(found["error"]) > float(without["error"]) + 0.01


def test_an_error_that_is_expected_excuses_nothing() -> None:
    """The estimate gets no gradient from the likelihood, nor the expectation from the others."""
    output, target = pair(0.05)
    last = output.stages[-1].requires_grad_()
    field = torch.full((2, 2, 12, 12), -3.0, requires_grad=True)
    found = BandLoss()(output._replace(log_error=field), seen(output, target), target, MASK, WINDOW)
    with pytest.raises(RuntimeError, match="not have been used"):
        torch.autograd.grad(found["error"], last, retain_graph=True)
    with pytest.raises(RuntimeError, match="not have been used"):
        torch.autograd.grad(found["light"] + found["detail"], field)


def test_an_error_too_small_to_see_is_not_asked_for() -> None:
    output, target = pair(0.0)
    costs = [
        terms(output._replace(log_error=torch.full((2, 2, 12, 12), level)), target)["error"]
        for level in (-5.0, -6.0, -12.0, -24.0)
    ]
    assert costs[0] - costs[1] > 0.01
    assert 0.0 < costs[2] - costs[3] < 0.0002


@pytest.mark.parametrize("told", [-5.0, -7.5, -9.0])
def test_a_told_error_that_is_too_small_is_pushed_up(told: float) -> None:
    """Also below the least error that is asked for."""
    output, target = pair(0.03)
    field = torch.full((2, 2, 12, 12), told, requires_grad=True)
    output = output._replace(log_error=field)
    BandLoss()(output, seen(output, target), target, MASK, WINDOW)["error"].backward()
    assert field.grad is not None
    inside = field.grad[..., 3:9, 5:11]  # of the window
    assert bool((inside < 0.0).all())


def test_what_lies_outside_the_mask_does_not_count() -> None:
    mask = torch.zeros_like(MASK)
    mask[..., 40:72, 48:80] = 1.0
    inside = WINDOW.cut(mask)
    output, target = pair(0.03 * torch.randn(2, 3, SIDE, SIDE))
    output = output._replace(log_error=torch.full((2, 2, 12, 12), -3.0))
    first, last = output.stages
    wrong = 5.0 * torch.rand_like(last) * (1 - inside)
    small = functional.interpolate(mask, (24, 24), mode="area")
    changed = output._replace(stages=(first + 5.0 * (small < 1), last + wrong))
    assert terms(output, target, mask) == terms(changed, target, mask)
    assert not any(terms(changed, target, torch.zeros_like(mask)).values())


def test_the_losses_are_fp32_under_autocast() -> None:
    output, target = pair(0.03 * torch.randn(2, 3, SIDE, SIDE))
    output = output._replace(log_error=torch.full((2, 2, 12, 12), -3.0))
    plain = terms(output, target)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = terms(output, target)
    assert plain == mixed
    assert SIDE % ERROR_BLOCK == 0


def test_the_best_gain_undoes_a_loss_of_contrast_and_silences_noise() -> None:
    torch.manual_seed(0)
    target = torch.rand(1, 3, 128, 128)
    weak = 0.5 + 0.25 * (target - 0.5)
    assert torch.allclose(best_log_gain(weak, target, 3), torch.tensor(math.log(4.0)), atol=0.01)
    assert torch.allclose(best_log_gain(target, target, 3), torch.tensor(0.0), atol=0.01)
    noise = 0.5 + 0.1 * torch.randn(1, 3, 128, 128)
    assert float(best_log_gain(noise, torch.full_like(noise, 0.5), 2).max()) < math.log(0.2)
    # Half signal, half noise of the same power: half of it is closest.
    signal = 0.1 * torch.randn(1, 3, 256, 256)
    mixed = signal + 0.1 * torch.randn(1, 3, 256, 256)
    assert float(best_log_gain(mixed, signal, 1).mean()) == pytest.approx(math.log(0.5), abs=0.05)


def test_beside_the_rim_the_same_gain_is_taught_as_elsewhere() -> None:
    """The step to the black surround has no blur, and would ask for a gain of 1 around it."""
    torch.manual_seed(0)
    field = torch.zeros(1, 1, 256, 256)
    field[..., 64:] = 1.0
    texture = functional.interpolate(torch.randn(1, 3, 128, 128), scale_factor=2.0, mode="bilinear")
    clean = (0.5 + 0.02 * texture) * field
    degraded = (0.5 + 0.01 * texture) * field
    window = Window([[(0, 0)]], 256, 256, (256, 256))
    output = EnhancerOutput((degraded[..., ::4, ::4], degraded))
    for column in (4, 12):  # beside the rim, and away from it
        costs = []
        for gain in (1.0, 2.0, 4.0):
            told = torch.zeros(1, 4, 16, 16)
            told[..., column] = math.log(gain)
            terms = BandLoss()(output._replace(log_gain=told), degraded, clean, field, window)
            costs.append(float(terms["gain"]))
        assert costs.index(min(costs)) == 1, column


def test_gains_have_a_loss_of_their_own_and_no_other() -> None:
    output, target = pair(0.0)
    told = torch.zeros(2, 4, 6, 6, requires_grad=True)
    degraded = 0.5 * target
    found = BandLoss()(output._replace(log_gain=told), degraded, target, MASK, WINDOW)
    assert float(found["gain"].detach()) == pytest.approx(math.log(2.0), abs=0.05)
    found["gain"].backward()  # type: ignore[no-untyped-call]
    assert told.grad is not None
    assert bool((told.grad < 0).any()), "a greater gain is asked for"
    assert "gain" not in BandLoss()(output, degraded, target, MASK, WINDOW)
