"""Where to compute."""

from __future__ import annotations

import torch

from magenet.errors import UsageError


def device_for(name: str) -> torch.device:
    """Return a device by its name; `auto` takes the fastest kind that there is.

    Raises:
        UsageError: If there is no such device, or none on this machine.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(kind for kind, is_there in there.items() if is_there)
    kind = name.split(":")[0]
    if kind not in there:
        raise UsageError(f"--device: '{name}' is none of auto, cpu, cuda, mps")
    if not there[kind]:
        raise UsageError(f"--device: there is no {kind} on this machine")
    try:
        return torch.device(name)
    except RuntimeError:
        raise UsageError(f"--device: '{name}' is no device; write cuda, or cuda:0") from None
