"""Checkpoints of tasks: what they must hold, and the weights of networks in them."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import nn

from magenet.errors import UserError


def read_network(
    network: nn.Module, checkpoint: str | Path, advice: str, prefix: str = "network."
) -> None:
    """Load the weights of a task's network from its checkpoint.

    Args:
        network: The network to load them into.
        checkpoint: Checkpoint of the task that trained it.
        advice: How to get one if it is missing, for the message.
        prefix: Prefix of the network's weights in the task; `teacher.network.` for a teacher's.

    Raises:
        UserError: If the checkpoint is missing, cannot be read or holds another network.
    """
    if not Path(checkpoint).is_file():
        raise UserError(f"{checkpoint}: no such checkpoint; {advice}")
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


def require_checkpoint(path: Path) -> None:
    """Raise unless a file is a Lightning checkpoint.

    Raises:
        UserError: If it is missing, cannot be read, or holds something else.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError, OSError, ValueError, KeyError):
        raise UserError(f"{path}: not a checkpoint that can be read (or not a whole one)") from None
    for key in ("state_dict", "pytorch-lightning_version"):
        if not isinstance(content, dict) or key not in content:
            raise UserError(f"{path}: not a checkpoint of magenet: it holds no '{key}'")
