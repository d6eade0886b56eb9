"""What `torch.hub` finds in the repository."""

from pathlib import Path

import pytest
import torch

from magenet.models import MAGENet, VesselSegmenter
from tests.conftest import ROOT


@pytest.mark.parametrize(("name", "kind"), [("mage_net", MAGENet), ("vessels", VesselSegmenter)])
def test_the_hub_gives_the_networks_of_the_package(
    name: str,
    kind: type[MAGENet | VesselSegmenter],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    network = torch.hub.load(str(ROOT), name, source="local")
    same = kind.from_pretrained(name).state_dict()
    assert all(torch.equal(value, same[key]) for key, value in network.state_dict().items())
    assert not network.training
    assert type(torch.hub.load(str(ROOT), name, source="local", pretrained=False)).__name__ == (
        kind.__name__
    )
