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


@pytest.mark.parametrize("name", ["gpu", "cpu:x"])
def test_a_name_of_no_device_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="--device"):
        device_for(name)
