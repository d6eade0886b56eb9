"""Choice of the device to compute on, and of the precision."""

from __future__ import annotations

import functools
import math
import time

import torch
from torch import nn

from magenet.errors import UsageError

REPETITIONS = 8
"""Convolutions in each precision, of which the fastest counts."""


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
    """Return whether a device is faster in bf16 than in fp32.

    GPUs from NVIDIA's Ampere on are (a T4 or V100 only emulates bf16), and CPUs with AMX. Of CPUs
    with AVX512-BF16 alone some are (AMD's since Zen 4, twice as fast) and some are not (Intel's
    do one bf16 instruction in the time of two in fp32): these are measured once.
    """
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        if capabilities.get("amx_bf16"):
            return True
        return bool(capabilities.get("avx512_bf16")) and faster_in_bf16()
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return False


@functools.cache
def faster_in_bf16() -> bool:
    """Measure whether this CPU convolves faster in bf16 than in fp32, which takes about 0.05 s."""
    convolutions = {}
    for dtype in (torch.float32, torch.bfloat16):
        layer = nn.Conv2d(32, 32, 3, padding=1).to(dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        image = torch.zeros(1, 32, 128, 128, dtype=dtype)
        convolutions[dtype] = layer, image.contiguous(memory_format=torch.channels_last)
    least = dict.fromkeys(convolutions, math.inf)
    with torch.inference_mode():
        for _ in range(REPETITIONS):  # in turns: other programs slow both
            for dtype, (layer, image) in convolutions.items():
                start = time.perf_counter()
                layer(image)
                least[dtype] = min(least[dtype], time.perf_counter() - start)
    return least[torch.bfloat16] < least[torch.float32]
