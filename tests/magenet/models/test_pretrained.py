import json
import os
import pickle
import random
import stat
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from huggingface_hub import hub_mixin
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from safetensors import safe_open
from safetensors.torch import save_file

from magenet.models import MAGENet, pretrained

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


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_saved_weights_have_the_mode_of_the_umask(
    network: MAGENet, tmp_path: Path, umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        network.save_pretrained(tmp_path / "saved")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "saved").iterdir()}
    assert modes == {mode}


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


@pytest.mark.parametrize("name", ["/nowhere/x", "./x", "~/x", "../a", "a/b/c", "HERE/x"])
def test_a_path_is_never_looked_up_on_the_hub(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    asked: list[str] = []
    monkeypatch.setattr(pretrained, "get_hf_file_metadata", lambda url, **_: asked.append(url))
    path = name.replace("HERE", "here")
    with pytest.raises(FileNotFoundError, match=f"^{path}: no such folder$"):
        MAGENet.from_pretrained(path)
    assert not asked


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (ConnectionError("Name or service not known"), r"\(Name or service not known\)"),
        (HfHubHTTPError("503 Service Unavailable\n\nlong", response=Mock()), r"\(503 [^\n]*\)$"),
        (RepositoryNotFoundError("404", response=Mock()), "no such repository, or a private one"),
    ],
)
def test_what_may_be_a_folder_or_an_id_is_asked_for_once_and_told_as_both(
    fault: Exception, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Mock(side_effect=fault)
    monkeypatch.setattr(pretrained, "get_hf_file_metadata", hub)
    with pytest.raises(FileNotFoundError, match=rf"^nowhere/x: no such folder; .*Hub: .*{told}"):
        MAGENet.from_pretrained("nowhere/x", cache_dir=tmp_path)
    assert hub.call_count == 1


def test_weights_on_the_hub_are_loaded(
    network: MAGENet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.save_pretrained(tmp_path)
    monkeypatch.setattr(pretrained, "get_hf_file_metadata", Mock())
    for module in (pretrained, hub_mixin):
        monkeypatch.setattr(
            module, "hf_hub_download",
            lambda repo_id, filename, **_: str(tmp_path / filename),
        )  # fmt: skip
    again = MAGENet.from_pretrained("nobody/eyes", cache_dir=tmp_path / "cache")
    one, other = (next(net.parameters()) for net in (again, network))
    assert torch.equal(one, other)


def test_no_flipped_bit_in_the_weights_loads_unnoticed(network: MAGENet, tmp_path: Path) -> None:
    network.save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    content = file.read_bytes()
    generator = random.Random(0)
    for _ in range(200):
        changed = bytearray(content)
        changed[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        file.write_bytes(changed)
        with pytest.raises((ValueError, RuntimeError)):
            MAGENet.from_pretrained(tmp_path)


def test_weights_of_others_carry_no_hash_and_load(network: MAGENet, tmp_path: Path) -> None:
    network.save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    save_file(pretrained.read_tensors(file), file)
    again = MAGENet.from_pretrained(tmp_path)
    assert torch.equal(next(again.parameters()), next(network.parameters()))


@pytest.mark.parametrize("name", ["mage_net", "vessels"])
def test_the_weights_in_the_package_carry_their_hash(name: str) -> None:
    with safe_open(pretrained.WEIGHTS / name / "model.safetensors", "pt") as content:
        assert pretrained.HASH in content.metadata()
