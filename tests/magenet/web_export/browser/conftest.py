"""The page on a plain web server, opened in Chromium."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from magenet.enhancement.calibration_curve import CalibrationCurve
from magenet.enhancement.fundus_check import FundusCheck
from magenet.enhancement.settings import Settings
from magenet.main import main
from magenet.models import MAGENet
from magenet.web_export.runtime import NAME, VERSION
from tests.chromium import chromium
from tests.magenet.models.test_detail import SMALL
from tests.magenet.models.test_mage_net import awake


@pytest.fixture(scope="package")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Chromium for all tests."""
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="package")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the runtime, from npm's cache or its registry."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm: install it (apt-get install npm)")
    folder = tmp_path_factory.mktemp("runtime")
    command = [npm, "pack", f"{NAME}@{VERSION}", "--prefer-offline", "--pack-destination", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot fetch {NAME} {VERSION}: {done.stderr.strip()[-200:]}")
    return folder / f"{NAME}-{VERSION}.tgz"


@pytest.fixture(scope="package", params=["one size", "own scale"])
def page_weights(
    request: pytest.FixtureRequest,
    weights: Path,
    fundus_check: FundusCheck,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Weights of a tiny network of either kind, as a folder."""
    if request.param == "one size":
        return weights
    torch.manual_seed(1)
    network = awake(MAGENet(**SMALL))
    curve = CalibrationCurve((0.0, 0.5, 2.0), (0.0, 0.03, 0.06))
    network.use.update(Settings((96, 128), fundus_check, uncertainty=curve).as_config())
    folder = tmp_path_factory.mktemp("own_scale")
    network.save_pretrained(folder)
    return folder


@pytest.fixture(scope="package")
def page_folder(
    context: Any, runtime: Path, page_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """What the command writes."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    out = tmp_path_factory.mktemp("web") / "page"
    command = ["export", "--format", "web", "-o", str(out), "--weights", str(page_weights)]
    assert main([*command, "--onnxruntime", str(runtime)]) == 0
    return out


class Quiet(SimpleHTTPRequestHandler):
    """A plain web server that says nothing."""

    def log_message(self, *given: Any) -> None:
        pass


@pytest.fixture(scope="package")
def address(page_folder: Path) -> Iterator[str]:
    """The page's address on a plain web server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=page_folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def tab(context: Any, address: str) -> Iterator[Any]:
    """The page, opened and ready; it may ask for nothing but its own files, or go wrong."""
    asked: list[str] = []
    wrong: list[str] = []
    context.on("request", listen := lambda request: asked.append(request.url))
    tab = context.new_page()
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.on("console", lambda message: wrong.append(message.text))
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.goto(address)
    tab.wait_for_selector("#file:enabled", state="attached")
    yield tab
    tab.close()
    context.remove_listener("request", listen)
    assert not wrong
    assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []
