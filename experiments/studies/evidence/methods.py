"""The methods that are compared, each a function of photographs at their own scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from experiments.checkpoints import load_network
from experiments.studies.evidence.report import FAST
from magenet.enhancement.device import half_precision
from magenet.enhancement.released import ReleasedEnhancer
from magenet.models import Enhancer
from magenet.models.peers import CLAHE, Identity, Setiawan

Method = Callable[[Tensor, Tensor], Tensor]
"""Of photographs `(B, 3, S, S)` in [0, 1], black outside the field, and masks `(B, 1, S, S)`: the
enhanced photographs."""


def method(network: Enhancer) -> Method:
    """Return one pass of a network, in bf16 where that is faster, as a method."""
    network = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    half = half_precision(torch.device("cpu"))

    def enhance(image: Tensor, mask: Tensor) -> Tensor:
        image = image.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            return network(image, mask).image.float() * mask

    return enhance


def methods(
    checkpoint: Path | None, subject: str, weights: Sequence[str], fast: Sequence[str] = ()
) -> dict[str, Method]:
    """Return the methods by name: untouched, the classical ones, weights, a checkpoint.

    Args:
        checkpoint: Checkpoint of an enhancement task; none if None.
        subject: Its `student` or `teacher`.
        weights: Weights that are used as `magenet enhance` does; of a folder the name counts.
        fast: The same, as with `--fast`.
    """
    named: dict[str, Enhancer] = {
        "untouched": Identity(), "CLAHE": CLAHE(), "Setiawan": Setiawan(),
    }  # fmt: skip
    named |= {Path(name).name: ReleasedEnhancer(name) for name in weights}
    named |= {f"{Path(name).name}{FAST}": ReleasedEnhancer(name, fast=True) for name in fast}
    if checkpoint is not None:
        named[checkpoint.parent.parent.name] = load_network(checkpoint, subject)
    return {name: method(network) for name, network in named.items()}
