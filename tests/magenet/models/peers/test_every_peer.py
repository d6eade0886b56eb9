"""What holds for every peer, with and without learning."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from data_modules.datasets.phantom import draw_phantom
from magenet.models import Enhancer
from magenet.models.peers import (
    CLAHE,
    DPFR,
    MUTE,
    BenGraham,
    CofeNet,
    DarkChannelPrior,
    GFENet,
    GlobalLocalContrast,
    Identity,
    ISecretGenerator,
    MPRNet,
    NAFNet,
    Setiawan,
    UNet,
    UnsharpMask,
    gfe_net,
)
from magenet.models.peers.mprnet import ChannelAttentionBlock

CLASSICAL: list[Callable[[], Enhancer]] = [
    Identity, CLAHE, Setiawan, BenGraham, UnsharpMask, DarkChannelPrior, GlobalLocalContrast,
    DPFR, MUTE,
]  # fmt: skip
SMALL: dict[type[Enhancer], tuple[Any, ...]] = {
    UNet: ((4, 8),),
    NAFNet: (8, [1], 1, [1]),
    MPRNet: (8, 4, 4, 1),
    CofeNet: ((4, 4, 4, 8), (4, 4, 4), 1),
    ISecretGenerator: (4, 1),
    GFENet: ((4, 8),),
}


def small(kind: type[Enhancer]) -> Enhancer:
    """Build a small network with something to say in every layer."""
    network = kind(*SMALL[kind])
    for name, parameter in network.named_parameters():
        if "scale_" in name:  # NAFNet's are zero at first, which silences the blocks
            nn.init.normal_(parameter)
    return network


LEARNED: list[Callable[[], Enhancer]] = [lambda kind=kind: small(kind) for kind in SMALL]
NAMES = [make.__name__ for make in CLASSICAL] + [kind.__name__ for kind in SMALL]
every_peer = pytest.mark.parametrize("make", CLASSICAL + LEARNED, ids=NAMES)
every_learned = pytest.mark.parametrize("kind", SMALL)


def retinas(*seeds: int, side: int = 64) -> torch.Tensor:
    return torch.stack([draw_phantom(seed, side).image for seed in seeds]).float() / 255.0


@every_peer
@pytest.mark.parametrize("size", [(33, 70), (64, 47), (45, 45)])
def test_any_size_comes_back_at_its_own_size(
    make: Callable[[], Enhancer], size: tuple[int, int]
) -> None:
    with torch.no_grad():
        output = make()(torch.rand(2, 3, *size))
    assert output.image.shape == output.stages[-1].shape == (2, 3, *size)
    assert output.image.dtype == torch.float32
    assert 0.0 <= float(output.image.min()) <= float(output.image.max()) <= 1.0
    if output.structure is not None:
        assert output.structure.shape == (2, 1, *size)


@every_peer
def test_a_photograph_does_not_depend_on_the_others_in_its_batch(
    make: Callable[[], Enhancer],
) -> None:
    network = make()
    images = retinas(1, 2, 3)
    images[1] *= 0.5
    with torch.no_grad():
        together = network(images).image
        alone = torch.cat([network(image[None]).image for image in images])
    assert torch.allclose(together, alone, atol=1e-5)


@every_learned
def test_a_gradient_reaches_every_parameter(kind: type[Enhancer]) -> None:
    network = small(kind)
    for module in network.modules():
        if isinstance(module, ChannelAttentionBlock):
            module.weigh[2] = nn.Identity()  # two hidden channels: a ReLU may be closed for all
    output = network(torch.rand(2, 3, 48, 48))
    loss = torch.stack([stage.square().sum() for stage in output.stages]).sum()
    if output.structure_logits is not None:
        loss = loss + output.structure_logits.square().sum()
    loss.backward()
    gradients = {n: p.grad for n, p in network.named_parameters() if p.grad is not None}
    assert gradients.keys() == dict(network.named_parameters()).keys()
    greatest = {name: float(gradient.abs().max()) for name, gradient in gradients.items()}
    least = 1e-6 * max(greatest.values())  # rounding alone reaches no further
    assert {name for name, size in greatest.items() if size < least} == cancelled(network)


def cancelled(network: Enhancer) -> set[str]:
    """Return the biases that an instance normalisation takes away again, as in I-SECRET."""
    return {
        f"{name}.{place}.bias".lstrip(".")
        for name, module in network.named_modules()
        if isinstance(module, nn.Sequential)
        for (place, _), (_, after) in pairwise(module.named_children())
        if isinstance(after, nn.InstanceNorm2d)
    }


@every_learned
def test_bf16_gives_nearly_the_same(kind: type[Enhancer]) -> None:
    network, image = small(kind).eval(), retinas(4)
    with torch.no_grad():
        exact = network(image).stages[-1]
        with torch.autocast("cpu", torch.bfloat16):
            coarse = network(image).stages[-1].float()
    change = (exact - image).abs().mean()
    assert 0.0 < float((coarse - exact).abs().mean()) < 0.02 * float(change)


# As the docstrings and the configs of the comparison say; MPRNet's are in its own test.
@pytest.mark.parametrize(
    ("kind", "millions", "giga"),
    [
        (UNet, 1.5, 7.7),
        (NAFNet, 1.5, 3.1),
        (CofeNet, 1.3, 12.0),
        (ISecretGenerator, 1.4, 6.4),
        (GFENet, 1.2, 9.4),
    ],
)
def test_default_networks_are_as_large_as_they_say(
    kind: type[Enhancer], millions: float, giga: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # kornia's blur, no part of the network, looks at values, which meta tensors have not
    monkeypatch.setattr(gfe_net, "high_frequencies", torch.zeros_like)
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        network = kind()  # costs neither memory nor time
        network(torch.empty(1, 3, 256, 256))
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.05)
    digit = 0.5 if giga >= 10 else 0.05
    assert counter.get_total_flops() / 2e9 == pytest.approx(giga, abs=digit)
