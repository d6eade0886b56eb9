"""Choice of the device to compute on, and of the precision."""

from __future__ import annotations

import torch

from magenet.errors import UsageError


def device_for(name: str) -> torch.device:
    """Return a device by its name; `auto` is the fastest kind that is available.

    Args:
        name: `auto`, `cpu`, `cuda`, `cuda:0` and so on, or `mps`.

    Raises:
        UsageError: If there is no such device, or none on this machine.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(kind for kind, is_available in available.items() if is_available)
    kind = name.split(":")[0]
    if kind not in available:
        raise UsageError(f"--device: '{name}' is none of auto, cpu, cuda, mps")
    if not available[kind]:
        raise UsageError(f"--device: there is no {kind} on this machine")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"--device: '{name}' is no device; write cuda, or cuda:0") from None
    if kind == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"--device: this machine has {torch.cuda.device_count()} GPUs: no {name}")
    return device


def half_precision(device: torch.device) -> bool:
    """Return whether a device is faster in bf16: it has instructions for it.

    Those are CPUs with AVX512-BF16 or AMX, and GPUs from NVIDIA's Ampere on (a T4 or V100 only
    emulates bf16).
    """
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return False
