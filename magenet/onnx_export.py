"""Export a network to ONNX and compare it with PyTorch's."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from magenet.errors import UserError
from magenet.files import whole
from magenet.models import MAGENet

MULTIPLE = 16
"""Height and width that the exported network takes are multiples of this."""

TOLERANCE = 1e-3
"""Greatest difference from PyTorch, of values in [0, 1]."""

SIZES = ((1, 256, 256), (2, 160, 224), (1, 512, 512))
"""Batch, height and width at which the exported network is compared with PyTorch's."""


class ImageOnly(nn.Module):
    """Give the enhanced photograph alone.

    Args:
        network: The network.
    """

    def __init__(self, network: MAGENet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Return `(B, 3, H, W)` in [0, 1] from the same."""
        return self.network(image).image


def export_onnx(network: MAGENet, path: Path) -> None:
    """Write a network as ONNX, with batch, height and width left open.

    Args:
        network: What to write.
        path: Where to; it appears under its name only when it is whole.

    Raises:
        UserError: If a package is missing, or the file cannot be written.
    """
    try:
        import onnx  # noqa: F401  # torch's exporter needs both, and says so at length
        import onnxscript  # noqa: F401
    except ImportError:
        raise UserError("--format onnx needs: pip install 'magenet[export]'") from None
    batch, side = torch.export.Dim("batch", min=1, max=64), torch.export.Dim
    tall, wide = (MULTIPLE * side(name, min=2, max=512) for name in ("tall", "wide"))
    with whole(path) as half, warnings.catch_warnings():
        # The exporter speaks of itself: of its plans, and of torchvision, which nobody needs.
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            ImageOnly(network).eval(), (torch.rand(2, 3, 96, 128),),
            dynamic_shapes={"image": {0: batch, 2: tall, 3: wide}}, dynamo=True, verbose=False,
            input_names=["image"], output_names=["enhanced"], external_data=False,
        )  # fmt: skip
        assert program is not None  # by dynamo=True
        program.save(half)


def runner(path: Path) -> Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    """Return what runs an exported network, by onnxruntime on the CPU.

    Raises:
        UserError: If onnxruntime is missing.
    """
    try:
        import onnxruntime
    except ImportError:
        raise UserError("the check needs: pip install 'magenet[export]'") from None
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"image": image})[0]


def difference(network: MAGENet, path: Path) -> float:
    """Return the greatest difference between an exported network and PyTorch's, over some sizes."""
    run = runner(path)
    greatest = 0.0
    for batch, height, width in SIZES:
        image = torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(height))
        with torch.no_grad():
            own = network(image).image.numpy()
        greatest = max(greatest, float(np.abs(run(image.numpy()) - own).max()))
    return greatest


def seconds(run: Callable[[], object], repetitions: int = 3) -> float:
    """Return the least time of some runs, after one to warm up."""
    run()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def export(weights: str, out: Path) -> str:
    """Export weights as ONNX, compare with PyTorch, and return size and speed in words.

    Args:
        weights: See :meth:`magenet.models.MAGENet.from_pretrained`.
        out: File to write.

    Raises:
        UserError: If the weights or a package are missing, the file cannot be written, or the
            exported network differs by more than :data:`TOLERANCE`; no file is left then.
    """
    try:
        network = MAGENet.from_pretrained(weights)
    except Exception as error:  # of the file system, of safetensors, of the hub
        raise UserError(f"weights '{weights}': {error}") from None
    export_onnx(network, out)
    apart = difference(network, out)
    if apart > TOLERANCE:
        out.unlink()
        raise UserError(f"the exported network differs by {apart:.2g} from PyTorch's: deleted")
    size = int(network.use.get("size", 256))
    image = torch.rand(1, 3, size, size)
    run = runner(out)
    with torch.no_grad():
        slow = seconds(lambda: network(image))
    fast = seconds(lambda: run(image.numpy()))
    return (
        f"{out}: {out.stat().st_size / 1e6:.1f} MB, within {apart:.1e} of PyTorch; "
        f"at {size} px {fast:.2f} s by onnxruntime, {slow:.2f} s by PyTorch in fp32"
    )
