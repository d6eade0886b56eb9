"""Weights of networks read from the checkpoints of tasks."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from magenet.errors import UserError


def read_network(
    network: nn.Module, checkpoint: str | Path, how: str, prefix: str = "network."
) -> None:
    """Load the weights of a task's network from its checkpoint.

    Args:
        network: The network to load them into.
        checkpoint: Checkpoint of the task that trained it.
        how: How to get one if it is missing, for the message.
        prefix: Prefix of the network's weights in the task; `teacher.network.` for a teacher's.

    Raises:
        UserError: If the checkpoint is missing, cannot be read or holds another network.
    """
    if not Path(checkpoint).is_file():
        raise UserError(f"{checkpoint}: no such checkpoint; {how}")
    try:
        weights = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    except Exception:  # a broken file can raise anything
        raise UserError(f"{checkpoint}: not a checkpoint that can be read") from None
    state = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    try:
        network.load_state_dict(state)
    except RuntimeError:
        raise UserError(
            f"{checkpoint}: holds another network than {type(network).__name__} as configured"
        ) from None
