import json
import pickle
from pathlib import Path

import pytest
import torch

from magenet.models import MAGENet

SMALL = {"widths": (8, 8, 8, 8), "blocks": (1, 1, 1, 1), "original_width": 8}


@pytest.fixture
def network() -> MAGENet:
    network = MAGENet(**SMALL, original_groups=1)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


def test_a_saved_network_comes_back_with_arguments_weights_and_use(
    network: MAGENet, tmp_path: Path
) -> None:
    network.use["size"] = 384
    network.save_pretrained(tmp_path)
    again = MAGENet.from_pretrained(tmp_path)
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(again(image).image, network(image).image)
    assert again.use == {"size": 384}
    assert not again.training
    again.save_pretrained(tmp_path / "again")
    first, second = (
        json.loads((f / "config.json").read_text()) for f in (tmp_path, tmp_path / "again")
    )
    assert first == second


def test_a_pickle_is_never_read(network: MAGENet, tmp_path: Path) -> None:
    network.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(network.state_dict()))
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        MAGENet.from_pretrained(tmp_path)


def test_a_folder_without_a_configuration_is_refused(network: MAGENet, tmp_path: Path) -> None:
    network.save_pretrained(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        MAGENet.from_pretrained(tmp_path)


def test_weights_of_another_network_are_refused(network: MAGENet, tmp_path: Path) -> None:
    network.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"original_groups": 2}))
    with pytest.raises(RuntimeError, match="original"):
        MAGENet.from_pretrained(tmp_path)
