"""Ceilings of the machine: the speeds that a network's speed is compared with."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from experiments.benchmarks.networks import Convolution, Workload, sized
from experiments.benchmarks.setting import Setting, Table
from experiments.benchmarks.timing import Timing, interleaved

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Kernel:
    """One convolution, forward and backward: gradients of input, weight and bias.

    Args:
        shape: The convolution.
        batch: Photographs a batch.
        dtype: bf16 (channels-last) or fp32 (contiguous).
        memory: Random numbers of that type, of which inputs and gradients are views, so that any
            number of shapes can be timed in turn without memory for each.
    """

    def __init__(self, shape: Convolution, batch: int, dtype: torch.dtype, memory: Tensor) -> None:
        self.shape = shape
        self.channels_last = dtype == torch.bfloat16
        side = (shape.kernel, shape.kernel)
        weight = torch.randn(
            shape.channels_out,
            shape.channels_in // shape.groups,
            *side,
            dtype=dtype,
            device=memory.device,
        )
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        self.weight = weight.contiguous(memory_format=layout).requires_grad_()
        self.bias = torch.zeros_like(weight[:, 0, 0, 0]).requires_grad_()
        self.input = self._view(memory, *input_shape(shape, batch)).requires_grad_(
            shape.input_gradient
        )
        self.gradient = self._view(memory, batch, shape.channels_out, shape.height, shape.width)

    def _view(self, memory: Tensor, batch: int, channels: int, height: int, width: int) -> Tensor:
        """Return a view of the random numbers, in the layout of the type."""
        flat = memory[: batch * channels * height * width]
        if self.channels_last:
            return flat.view(batch, height, width, channels).permute(0, 3, 1, 2)
        return flat.view(batch, channels, height, width)

    def __call__(self) -> None:
        """Run forward and backward once."""
        shape = self.shape
        result = functional.conv2d(
            self.input, self.weight, self.bias, shape.stride, shape.padding, groups=shape.groups
        )
        inputs = [self.weight, self.bias, *([self.input] if shape.input_gradient else [])]
        torch.autograd.grad(result, inputs, self.gradient)


def input_shape(shape: Convolution, batch: int) -> tuple[int, int, int, int]:
    """Return the shape of a convolution's input."""
    height, width = (
        (side - 1) * shape.stride + shape.kernel - 2 * shape.padding
        for side in (shape.height, shape.width)
    )
    return batch, shape.channels_in, height, width


def kernels(
    shapes: Mapping[Convolution, int], batch: int, dtype: torch.dtype, device: torch.device
) -> dict[Convolution, Kernel]:
    """Return the 3x3 convolutions among the shapes, ready to run."""
    chosen = [shape for shape in shapes if shape.kernel == 3]
    largest = max(
        max(math.prod(input_shape(s, batch)), batch * s.channels_out * s.height * s.width)
        for s in chosen
    )
    memory = torch.randn(largest, device=device).to(dtype)
    return {shape: Kernel(shape, batch, dtype, memory) for shape in chosen}


class Ideal:
    """Ideal time of a training step: convolutions only, each as fast as when timed alone.

    Args:
        shapes: The network's convolutions, counted.
        batch: Photographs a batch.
        timings: Times of the 3x3 convolutions among them.
    """

    def __init__(
        self, shapes: Counter[Convolution], batch: int, timings: Mapping[Convolution, Timing]
    ) -> None:
        self.rates = {s: s.flops(batch) / timing.median for s, timing in timings.items()}
        self.work = {s: count * s.flops(batch) for s, count in shapes.items()}

    def rate(self, shape: Convolution) -> float:
        """Return the FLOP/s of a shape: measured, or those of the nearest 3x3 convolution."""
        if shape in self.rates:
            return self.rates[shape]

        def distance(other: Convolution) -> float:
            return sum(
                abs(math.log(a / b))
                for a, b in (
                    (shape.channels_in, other.channels_in),
                    (shape.channels_out, other.channels_out),
                    (shape.height, other.height),
                    (shape.width, other.width),
                )
            )  # fmt: skip

        return self.rates[min(self.rates, key=distance)]

    @property
    def seconds(self) -> float:
        """Return the time of all convolutions, in seconds."""
        return sum(work / self.rate(shape) for shape, work in self.work.items())

    @property
    def mean(self) -> float:
        """Return the mean FLOP/s of the ceilings, weighted by FLOPs."""
        weighted = sum(work * self.rate(shape) for shape, work in self.work.items())
        return weighted / sum(self.work.values())

    @property
    def best(self) -> float:
        """Return the greatest FLOP/s among the ceilings."""
        return max(self.rates.values())


def measure(setting: Setting) -> list[Table]:
    """Return the ceilings of the machine, and of the 3x3 convolutions of the main network."""
    device, side, count = setting.device, setting.matrix_side, setting.matrix_side**2
    calls: dict[str, Callable[[], object]] = {}
    for name, dtype in DTYPES.items():
        left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        calls[f"matrix product, {name}"] = lambda a=left, b=right: a @ b  # type: ignore[misc]
    source, target = (torch.zeros(16 * count, device=device) for _ in range(2))
    calls["memory copy"] = lambda: target.copy_(source)
    times = interleaved(calls, device, setting.seconds / 4)
    machine = Table(
        "Ceilings of the machine",
        {
            "rate": f"GFLOP/s of the product of two square matrices, {side} a side; GB/s of a "
            f"copy of {16 * 4 * count / 1e6:.0f} MB, bytes read plus bytes written.",
        },
        {
            name: {"rate": timing.rate((128 if name == "memory copy" else 2 * side) * count / 1e9)}
            for name, timing in times.items()
        },
    )

    workload = Workload(sized(setting.network), setting.batch, setting.size, device, bf16=True)
    shapes, _ = workload.demand()
    kernel_calls = {
        (shape, name): kernel
        for name, dtype in DTYPES.items()
        for shape, kernel in kernels(shapes, setting.batch, dtype, device).items()
    }
    kernel_times = interleaved(kernel_calls, device, setting.seconds)
    table = Table(
        f"Ceilings of the 3x3 convolutions of {setting.network}, {setting.size} px, "
        f"batch {setting.batch}",
        {
            "count": "how many of this shape (channels in and out, width x height) there are.",
            "share": "share of the operations of all the network's convolutions, in percent.",
            "fp32": "GFLOP/s of one such convolution alone, forward and backward, contiguous.",
            "bf16": "the same in bf16, channels-last.",
        },
    )
    total = sum(n * shape.flops(1) for shape, n in shapes.items())
    for shape in sorted(
        (s for s in shapes if s.kernel == 3), key=lambda s: -shapes[s] * s.flops(1)
    ):
        table.rows[str(shape)] = {
            "count": shapes[shape],
            "share": round(100 * shapes[shape] * shape.flops(1) / total, 1),
            **{n: kernel_times[shape, n].rate(shape.flops(setting.batch) / 1e9) for n in DTYPES},
        }
    return [machine, table]
