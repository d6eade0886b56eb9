"""Export of a network to ONNX, compared with PyTorch."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from magenet.atomic_write import atomic_write
from magenet.errors import UserError
from magenet.models import MAGENet

MULTIPLE = 16
"""Height and width of the exported network's input are multiples of this."""

TOLERANCE = 1e-3
"""Greatest absolute difference from PyTorch, of values in [0, 1] (our choice)."""

SIZES = ((1, 256, 256), (2, 160, 224), (1, 512, 512))
"""Batch size, height and width at which the exported network is compared with PyTorch."""

OWN_SCALE = ((1, 1024, 1024),)
"""The same of a network at the photograph's own scale, which is exported at one size: how it is
reduced for the stages that see the whole eye depends on the size. It is one tile, since a graph
would hold a copy of the detail stage for each."""


class ImageOnly(nn.Module):
    """Network that returns the enhanced photograph alone.

    Args:
        network: The wrapped network.
    """

    def __init__(self, network: MAGENet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Enhance photographs `(B, 3, H, W)` in [0, 1]."""
        return self.network(image).image


def export_onnx(network: MAGENet, path: Path) -> None:
    """Write a network as ONNX, with dynamic batch size, height and width where it can.

    Args:
        network: The network.
        path: File to write.
    """
    example, dynamic = torch.rand(2, 3, 96, 128), {}
    if network.own_scale:
        batch, height, width = OWN_SCALE[0]
        example = torch.rand(batch, 3, height, width)
    else:
        dynamic = {0: torch.export.Dim("batch", min=1, max=64)}
        for axis, name in ((2, "tall"), (3, "wide")):
            dynamic[axis] = MULTIPLE * torch.export.Dim(name, min=2, max=512)
    write_onnx(ImageOnly(network), path, {"image": example}, ("enhanced",), {"image": dynamic})


def write_onnx(
    module: nn.Module,
    path: Path,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    dynamic: Mapping[str, Mapping[int, Any]],
) -> None:
    """Write a module as ONNX.

    Args:
        module: The module.
        path: File to write.
        inputs: Examples of its arguments, by their names in its `forward` and in the file.
        outputs: Names of its results.
        dynamic: Axes of the inputs that may have other lengths, and their `torch.export.Dim`.
    """
    from onnx_ir.passes.common import DeduplicateInitializersPass

    with warnings.catch_warnings():
        # The exporter announces its own changes, and that torchvision is missing.
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            module.eval(), tuple(inputs.values()),
            dynamic_shapes={name: dict(dynamic.get(name, {})) for name in inputs},
            dynamo=True, verbose=False,
            input_names=list(inputs), output_names=list(outputs), external_data=False,
        )  # fmt: skip
        assert program is not None  # by dynamo=True
        # The matrices of the pyramids, at each use: 65 MB, and 8 MB of weights, at 1024 px.
        DeduplicateInitializersPass(size_limit=1 << 30)(program.model)
        program.save(path)


def runner(path: Path) -> Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    """Return a function that runs an exported network by onnxruntime on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"image": image})[0]


def difference(network: MAGENet, path: Path) -> float:
    """Return the greatest absolute difference between an exported network and PyTorch."""
    run = runner(path)
    greatest = 0.0
    for batch, height, width in OWN_SCALE if network.own_scale else SIZES:
        image = torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(height))
        image[..., : width // 8] = 0.0  # a surround, which networks treat otherwise
        with torch.no_grad():
            expected = network(image).image.numpy()
        # NaN stays NaN
        greatest = float(np.maximum(greatest, np.abs(run(image.numpy()) - expected).max()))
    return greatest


def seconds(run: Callable[[], object], repetitions: int = 3) -> float:
    """Return the least time of some runs, in seconds, after one to warm up."""
    run()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def exportable(weights: str) -> MAGENet:
    """Return a network to export, once the packages that exporting needs are there.

    Args:
        weights: See :meth:`magenet.models.MAGENet.from_pretrained`.

    Raises:
        UserError: If the weights or a package are missing.
    """
    try:
        import onnx  # noqa: F401  # torch's exporter needs two, and its own message is long
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise UserError("magenet export needs: pip install 'magenet[export]'") from None
    try:
        return MAGENet.from_pretrained(weights)
    except Exception as error:  # of the file system, of safetensors, of the hub
        reason = str(error).removeprefix(f"{weights}: ")
        raise UserError(f"weights '{weights}': {reason}") from None


def export(weights: str, out: Path) -> str:
    """Export weights as ONNX, compare with PyTorch, and return a line on size and speed.

    Args:
        weights: See :meth:`magenet.models.MAGENet.from_pretrained`.
        out: File to write. It appears under its name only once it is complete and compared; until
            then an earlier file of that name is unchanged.

    Raises:
        UserError: If the weights or a package are missing, the file cannot be written, or the
            exported network differs by more than :data:`TOLERANCE`.
    """
    network = exportable(weights)
    with atomic_write(out) as part:
        export_onnx(network, part)
        deviation = difference(network, part)
        if not deviation <= TOLERANCE:  # nor NaN
            raise UserError(
                f"{out}: not written, since the exported network differs by {deviation:.2g} from "
                f"PyTorch (at most {TOLERANCE:g})"
            )
    size = OWN_SCALE[0][-1] if network.own_scale else int(network.use.get("size", 256))
    image = torch.rand(1, 3, size, size)
    run = runner(out)
    with torch.no_grad():
        torch_time = seconds(lambda: network(image))
    onnx_time = seconds(lambda: run(image.numpy()))
    return (
        f"{out}: {out.stat().st_size / 1e6:.1f} MB, within {deviation:.1e} of PyTorch; "
        f"at {size} px {onnx_time:.2f} s by onnxruntime, {torch_time:.2f} s by PyTorch in fp32"
    )
