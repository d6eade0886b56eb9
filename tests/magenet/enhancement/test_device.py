"""Choice of the device."""

import pytest
import torch

from magenet.enhancement.device import device_for
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
