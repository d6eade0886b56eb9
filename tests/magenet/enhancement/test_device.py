"""Choice of the device and of the precision."""

import time
from contextlib import nullcontext

import pytest
import torch

from magenet.enhancement import device
from magenet.enhancement.device import device_for, half_precision
from magenet.errors import UsageError


def test_a_gpu_that_the_machine_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_for("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(UsageError, match="has 2 GPUs: no cuda:2"):
        device_for("cuda:2")


def test_auto_takes_what_there_is_and_a_named_kind_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    available = {"cuda": True, "mps": True}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available["cuda"])
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: available["mps"])
    for kind in ("cuda", "mps", "cpu"):
        assert device_for("auto").type == kind, "the fastest kind"
        assert device_for("cpu").type == "cpu"
        available[kind] = False
    for kind in ("cuda", "mps"):
        with pytest.raises(UsageError, match=f"there is no {kind} on this machine"):
            device_for(kind)


@pytest.mark.parametrize("name", ["gpu", "cpu:x", "any"])
def test_a_name_of_no_device_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="--device"):
        device_for(name)


@pytest.mark.parametrize(
    ("known", "measured", "half"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, False, True),
        ({"avx512_bf16": True}, True, True),
        ({"avx512_bf16": True}, False, False),
        ({}, True, False),
    ],
)
def test_a_cpu_computes_in_bf16_if_it_is_faster_in_it(
    known: dict[str, bool], measured: bool, half: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    monkeypatch.setattr(device, "faster_in_bf16", lambda: measured)
    assert half_precision(torch.device("cpu")) == half


@pytest.mark.parametrize("slow", [torch.float32, torch.bfloat16])
def test_which_precision_is_faster_is_measured(
    slow: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    def convolve(layer: torch.nn.Conv2d, image: torch.Tensor) -> torch.Tensor:
        time.sleep(0.02 if image.dtype == slow else 0.001)
        assert layer.weight.dtype == image.dtype
        return image

    monkeypatch.setattr(torch.nn.Conv2d, "forward", convolve)
    device.faster_in_bf16.cache_clear()
    assert device.faster_in_bf16() == (slow == torch.float32)
    device.faster_in_bf16.cache_clear()


@pytest.mark.parametrize(("major", "native"), [(6, False), (7, False), (8, True), (9, True)])
def test_a_gpu_computes_in_bf16_if_it_does_not_emulate_it(
    major: int, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compute capability 6 is Pascal, 7 Volta and Turing (T4), 8 Ampere, 9 Hopper."""
    properties = type("Properties", (), {"major": major})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    monkeypatch.setattr(torch.cuda, "device", nullcontext)
    assert half_precision(torch.device("cuda", 1)) == native


def test_other_devices_compute_in_fp32() -> None:
    assert not half_precision(torch.device("mps"))
