from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from magenet.models.peers import MPRNet
from magenet.models.peers.mprnet import ChannelAttentionBlock

TINY: dict[str, Any] = {"width": 8, "growth": 4, "extra": 4, "blocks": 1}


def on_meta(*widths: int) -> MPRNet:
    """Build a network of any size that costs neither memory nor time."""
    with torch.device("meta"):
        return MPRNet(*widths)


# Deraining (twice), deblurring and denoising as published, and a small one of our own.
@pytest.mark.parametrize(
    ("widths", "millions"),
    [
        ((), 3.637),
        ((40, 20, 16, 8), 3.637),
        ((96, 48, 32, 8), 20.13),
        ((80, 48, 32, 8), 15.74),
        ((32, 16, 16, 4), 1.96),
    ],
)
def test_parameters_are_the_published_ones(widths: tuple[int, ...], millions: float) -> None:
    count = sum(p.numel() for p in on_meta(*widths).parameters())
    assert count / 1e6 == pytest.approx(millions, rel=0.001)


# Measured on the published code, the same way.
@pytest.mark.parametrize(
    ("widths", "giga"), [((), 141.0), ((96, 48, 32, 8), 759.4), ((80, 48, 32, 8), 572.9)]
)
def test_multiplications_are_the_published_ones(widths: tuple[int, ...], giga: float) -> None:
    network = on_meta(*widths)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(1, 3, 256, 256, device="meta"))
    assert counter.get_total_flops() / 2e9 == pytest.approx(giga, rel=0.001)


def test_no_bias_and_one_activation() -> None:
    network = MPRNet(**TINY)
    flat = [p for p in network.parameters() if p.ndim == 1]
    assert len(flat) == 1
    activations = {id(m) for m in network.modules() if isinstance(m, nn.PReLU)}
    assert len(activations) == 1


@pytest.mark.parametrize("size", [(32, 32), (70, 45), (33, 64)])
def test_any_size_comes_back_at_its_own_size(size: tuple[int, int]) -> None:
    output = MPRNet(**TINY)(torch.rand(2, 3, *size))
    assert [stage.shape for stage in output.stages] == [(2, 3, *size)] * 3
    assert output.structure_logits is None


def test_padding_continues_the_edge_and_is_cut_off() -> None:
    network = MPRNet(**TINY)
    image = torch.rand(1, 3, 70, 45)
    padded = functional.pad(image, (0, 3, 0, 2), mode="replicate")
    for own, other in zip(network(image).stages, network(padded).stages, strict=True):
        assert torch.equal(own, other[..., :70, :45])


def test_every_stage_adds_to_the_photograph() -> None:
    network = MPRNet(**TINY)
    image = torch.rand(1, 3, 40, 40)
    assert not any(torch.equal(stage, image) for stage in network(image).stages)
    for head in (
        network.supervise_first.correct, network.supervise_second.correct, network.correct_third,
    ):  # fmt: skip
        nn.init.zeros_(head.weight)
    assert all(torch.equal(stage, image) for stage in network(image).stages)


def changed(before: Tensor, after: Tensor) -> list[list[bool]]:
    """Return for each quadrant whether anything in it differs."""
    halves = zip(before.chunk(2, dim=2), after.chunk(2, dim=2), strict=True)
    return [
        [
            not torch.equal(b, a)
            for b, a in zip(one.chunk(2, dim=3), other.chunk(2, dim=3), strict=True)
        ]
        for one, other in halves
    ]


def test_stages_see_quadrants_halves_and_the_whole() -> None:
    network = MPRNet(**TINY)
    image = torch.rand(1, 3, 32, 32)
    other = image.clone()
    other[..., :16, :16] = torch.rand(1, 3, 16, 16)  # top left
    seen: list[Tensor] = []
    for decoder in (network.decode_first, network.decode_second):
        decoder.register_forward_pre_hook(lambda _, arguments: seen.extend(arguments[0]))
    before, after = network(image), network(other)
    # Three decoders a forward (top, bottom, whole) with three levels each.
    top, bottom, whole = (
        [changed(seen[k], seen[9 + k]) for k in range(first, first + 3)] for first in (0, 3, 6)
    )
    # Encoders: that of stage 1 keeps to the quadrant, that of stage 2 to the half.
    assert top == [[[True, False], [True, False]]] * 3  # rows of a half: both in the quadrant
    assert bottom == [[[False, False], [False, False]]] * 3
    assert whole == [[[True, True], [False, False]]] * 3
    # Estimates: decoders see the joined pieces, so each stage sees twice as much.
    assert changed(before.stages[0], after.stages[0]) == [[True, True], [False, False]]
    assert changed(before.stages[1], after.stages[1]) == [[True, True], [True, True]]
    assert changed(before.stages[2], after.stages[2]) == [[True, True], [True, True]]


def test_every_parameter_of_every_stage_moves_the_last_estimate() -> None:
    network = MPRNet(**TINY)
    for module in network.modules():
        if isinstance(module, ChannelAttentionBlock):
            # With two hidden channels a ReLU may be closed for every photograph: no fault.
            module.weigh[2] = nn.Identity()
    network(torch.rand(2, 3, 48, 48)).stages[-1].square().sum().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent
