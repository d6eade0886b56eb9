"""Networks to measure, and the convolutions that they consist of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from magenet.losses import EnhancementLoss
from magenet.models import MAGENet
from magenet.models.mage_net import SIZES
from magenet.models.peers import MPRNet

PEER = "MPRNet"
"""The peer that MAGE-Net is compared with, in its published form: fp32 and contiguous."""


def sized(name: str, **changes: Any) -> MAGENet:
    """Return the MAGE-Net of a named size, with changes to its arguments."""
    return MAGENet(**{**SIZES[name], **changes})


class Convolution(NamedTuple):
    """Shape of a convolution.

    Attributes:
        channels_in: Input channels.
        channels_out: Output channels.
        kernel: Side of the kernel.
        stride: Stride along both axes.
        padding: Pixels added on each side.
        groups: Groups of channels.
        height: Height of the output.
        width: Width of the output.
        input_gradient: Whether the backward pass computes a gradient of the input; not where the
            input is the photograph.
    """

    channels_in: int
    channels_out: int
    kernel: int
    stride: int
    padding: int
    groups: int
    height: int
    width: int
    input_gradient: bool

    def flops(self, batch: int) -> float:
        """Return the FLOPs of forward and backward: two a multiply-accumulate."""
        macs = self.channels_in * self.channels_out // self.groups * self.kernel**2
        return 2.0 * macs * self.height * self.width * batch * (3 if self.input_gradient else 2)

    def __str__(self) -> str:
        """Return the name of its row."""
        return (
            f"{self.channels_in}->{self.channels_out}, {self.width}x{self.height}"
            f"{'' if self.input_gradient else ', no gradient of the input'}"
        )


class Workload:
    """A network and a batch, in the precision and memory layout that it is trained in.

    Args:
        network: Network to measure.
        batch: Photographs a batch.
        size: Side of a photograph, in pixels.
        device: Device to measure on.
        bf16: Whether to use bf16 autocast and channels-last, else fp32 and contiguous.
    """

    def __init__(
        self, network: nn.Module, batch: int, size: int, device: torch.device, bf16: bool
    ) -> None:
        self.layout = torch.channels_last if bf16 else torch.contiguous_format
        self.network = network.to(device).to(memory_format=self.layout)  # type: ignore[call-overload]
        self.batch, self.size, self.device, self.bf16 = batch, size, device, bf16
        generator = torch.Generator().manual_seed(0)
        clean = torch.rand(batch, 3, size, size, generator=generator).to(device)
        self.clean = clean
        self.image = (0.5 * clean + 0.2).contiguous(memory_format=self.layout)
        self.mask = torch.ones(batch, 1, size, size, device=device)
        self.loss = EnhancementLoss()
        self.parameters = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.parameters, lr=1e-4, foreach=True)

    @contextmanager
    def precision(self) -> Iterator[None]:
        """Run the body of a `with` in the workload's precision."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            yield

    def forward(self) -> None:
        """Enhance the batch, as in prediction."""
        self.network.eval()
        with torch.inference_mode(), self.precision():
            self.network(self.image)

    def step(self) -> Tensor:
        """Run a training step and return the loss."""
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        with self.precision():
            loss: Tensor = self.loss(self.network(self.image), self.clean, self.mask)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        return loss.detach()

    def demand(self) -> tuple[Counter[Convolution], float]:
        """Return the convolutions of one forward pass, counted, and the MACs of the batch."""
        found: Counter[Convolution] = Counter()

        def record(module: nn.Module, given: tuple[Tensor, ...], result: Tensor) -> None:
            assert isinstance(module, nn.Conv2d)
            padding = module.padding[0]
            found[
                Convolution(
                    module.in_channels, module.out_channels, module.kernel_size[0],
                    module.stride[0], padding if isinstance(padding, int) else 0, module.groups,
                    result.shape[-2], result.shape[-1], given[0].requires_grad,
                )
            ] += 1  # fmt: skip

        hooks = [
            module.register_forward_hook(record)
            for module in self.network.modules()
            if isinstance(module, nn.Conv2d)
        ]
        with FlopCounterMode(display=False) as counter, self.precision():
            self.network(self.image)
        for hook in hooks:
            hook.remove()
        return found, counter.get_total_flops() / 2


def workload_of(name: str, batch: int, size: int, device: torch.device, **changes: Any) -> Workload:
    """Return the workload of a network in the precision that it is trained in.

    Args:
        name: Named size of MAGE-Net, in bf16, or :data:`PEER`, in fp32.
        batch: Photographs a batch.
        size: Side of a photograph, in pixels.
        device: Device to measure on.
        **changes: Changes to the arguments of a MAGE-Net.
    """
    network = MPRNet() if name == PEER else sized(name, **changes)
    return Workload(network, batch, size, device, bf16=name != PEER)
