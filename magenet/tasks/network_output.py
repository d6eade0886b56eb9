"""What a network of one's own must return, checked where a training or a test uses it."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from magenet.errors import UsageError
from magenet.models import Enhancer, EnhancerOutput, Window

WANTED = (
    "an enhancer returns EnhancerOutput((estimate,)), whose last estimate has the photographs' size"
)


def require_output(
    network: Enhancer, output: object, image: Tensor, window: Window | None = None
) -> EnhancerOutput:
    """Return what a network returned, if it is an enhancer's output for these photographs.

    Args:
        network: The network.
        output: What it returned.
        image: For which photographs, `(B, 3, H, W)`.
        window: Their windows, where it restores these alone.

    Raises:
        UsageError: With what it returned instead.
    """
    name = type(network).__name__
    if not isinstance(output, EnhancerOutput):
        raise UsageError(f"{name} returned {_shape(output)}: {WANTED}")
    stages: Any = output.stages
    if isinstance(stages, Tensor):
        raise UsageError(f"{name} returned a tensor as its stages; a comma is missing: {WANTED}")
    if not isinstance(stages, tuple) or not stages:
        raise UsageError(f"{name} returned {_shape(stages)} as its stages: {WANTED}")
    last = stages[-1]
    fits = isinstance(last, Tensor) and last.ndim == 4 and last.shape[1] == 3
    if not fits or (window is None and last.shape != image.shape):
        raise UsageError(
            f"{name} returned {_shape(last)} as its last estimate of photographs "
            f"{tuple(image.shape)}: {WANTED}"
        )
    return output


def _shape(value: object) -> str:
    """Return what a value is, in words."""
    return f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
