"""`magenet export` as a person meets it."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from magenet import onnx_export as export
from magenet.main import main
from magenet.models import MAGENet
from tests.magenet.models.test_detail import SMALL
from tests.magenet.models.test_mage_net import awake

onnx = pytest.importorskip("onnx")
for package in ("onnxscript", "onnxruntime"):
    pytest.importorskip(package)


@pytest.fixture(scope="module")
def exported(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "sub" / "network.onnx"
    assert main(["export", "-o", str(path), "--weights", str(weights)]) == 0
    return path


@pytest.mark.slow
def test_it_gives_what_pytorch_gives_at_sizes_it_was_not_exported_at(
    exported: Path, weights: Path
) -> None:
    network = MAGENet.from_pretrained(weights)
    run = export.runner(exported)
    for shape in ((1, 3, 64, 64), (3, 3, 80, 208), (1, 3, 336, 320)):
        image = torch.rand(shape)
        with torch.no_grad():
            wanted = network(image).image.numpy()
        given = run(image.numpy())
        assert given.shape == shape
        assert np.abs(given - wanted).max() < export.TOLERANCE
        assert np.abs(given - image.numpy()).max() > 10 * export.TOLERANCE  # it does something


def test_a_network_at_its_own_scale_is_exported_at_one_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "OWN_SCALE", ((1, 128, 128),))
    network = awake(MAGENet(**SMALL)).eval()
    path = tmp_path / "own.onnx"
    export.export_onnx(network, path)
    arrays = [array.raw_data for array in onnx.load(path).graph.initializer]
    large = [array for array in arrays if len(array) >= 10_000]
    assert len(large) == len(set(large)) > 0, "a matrix is written once, however often it is used"
    assert export.difference(network, path) < export.TOLERANCE
    image = np.random.default_rng(0).random((1, 3, 128, 128), dtype=np.float32)
    assert np.abs(export.runner(path)(image) - image).max() > 10 * export.TOLERANCE


def test_a_network_that_differs_is_refused_and_an_earlier_file_kept(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(export, "export_onnx", lambda network, path: path.touch())
    monkeypatch.setattr(export, "difference", lambda *rest: 0.01)
    path = tmp_path / "a.onnx"
    path.write_text("an earlier network")
    assert main(["export", "-o", str(path), "--weights", str(weights)]) == 1
    assert "a.onnx: not written, since the exported network differs" in capsys.readouterr().err
    assert path.read_text() == "an earlier network"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_package_is_told_before_anything_is_written(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert main(["export", "-o", str(tmp_path / "a.onnx"), "--weights", str(weights)]) == 1
    assert "pip install 'magenet[export]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_told(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "a.onnx"
    assert main(["export", "-o", str(path), "--weights", str(weights)]) == 1
    assert "file: is a file, not a folder to write to" in capsys.readouterr().err
