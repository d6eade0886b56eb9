"""The command in a process of its own: address, token, signals, and the example of the docs."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import uvicorn
from starlette.testclient import TestClient

from magenet.commands.serve import main
from magenet.errors import UserError
from magenet.serving.server import Address, _listen, url
from tests.conftest import ROOT
from tests.magenet.serving.serving import files_below, picture


@pytest.fixture
def started(tmp_path: Path, weights: Path) -> Iterator[Any]:
    """Return a function that starts the command, and returns its process and what it printed."""
    processes = []

    def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "magenet.main", "serve", "--port", "0", "--folder",
             str(tmp_path / "served"), "--weights", str(weights), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        processes.append(process)
        assert process.stdout is not None
        found = re.search(r"open (\S+)", process.stdout.readline())
        assert found is not None, process.communicate()[1]
        return process, found[1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_the_example_of_the_docs_runs_and_a_signal_ends_the_server(
    started: Any, tmp_path: Path
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    process, address = started()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address), "no token: only this machine"
    (tmp_path / "eye.png").write_bytes(picture(3, side=200))
    example = re.search("```sh\n(.*?)```", (ROOT / "docs/serve.md").read_text(), re.DOTALL)
    assert example is not None
    script = example[1].replace("http://127.0.0.1:8765/", address)
    script = script.replace("python -c", f"{sys.executable} -c")
    subprocess.run(["bash", "-euc", script], cwd=tmp_path, check=True, timeout=200)
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    assert verdict["status"] == "enhanced"
    assert verdict["report"]["strength"] == 0.8
    assert (tmp_path / "enhanced.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "uncertainty.png").read_bytes().startswith(b"\x89PNG")
    assert zipfile.ZipFile(tmp_path / "results.zip").namelist()[0] == "eye.png"
    assert files_below(tmp_path / "served") == set(), "deleted at the end of the example"
    subprocess.run(["curl", "-sf", "-F", "files=@eye.png", f"{address}enhance"], cwd=tmp_path,
                   check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    process.send_signal(signal.SIGTERM)
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert f"1 photograph(s) stay in {tmp_path / 'served'} until the server starts" in printed


@pytest.mark.slow
def test_other_machines_need_the_token(started: Any) -> None:
    process, address = started("--host", "0.0.0.0")
    found = re.fullmatch(r"http://[\d.]+:(\d+)/\?token=([\w-]{32})", address)
    assert found is not None
    page = f"http://127.0.0.1:{found[1]}/"
    with pytest.raises(HTTPError, match="401"):
        urlopen(page)
    with urlopen(Request(page + "jobs", headers={"Authorization": f"Bearer {found[2]}"})) as answer:
        assert answer.read() == b"[]"
    process.send_signal(signal.SIGINT)
    assert "not encrypted" in process.stdout.read()
    assert process.wait(timeout=60) == 0


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(UserError, match=f"port {port}: cannot be listened on"):
            main(["--port", port, "--folder", str(tmp_path / "served")])
    assert not (tmp_path / "served").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--keep", "0"], "--keep must be above 0"),
        (["--keep", "nan"], "--keep must be above 0"),
        (["--port", "70000"], "--port must lie"),
        (["--max-photographs", "0"], "must be at least 1"),
        (["--max-disk", "200X"], "--max-disk: '200X' is not an amount"),
        (["--token", "short"], "--token must be at least 16"),
        (["--host", "203.0.113.1"], "cannot be listened on"),  # of no machine (RFC 5737)
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        main([*arguments, "--folder", str(tmp_path / "served")])


@pytest.mark.parametrize(
    ("names", "needs_token"), [([], False), (["--name", "Eyes.Example"], True)]
)
def test_a_server_that_a_proxy_gives_a_name_needs_a_token(
    names: list[str], needs_token: bool, tmp_path: Path, weights: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    answers, before = [], tempfile.tempdir

    def run(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        assert tempfile.gettempdir() == str(tmp_path / "served/moving"), "uploads are spooled there"
        with TestClient(server.config.app, base_url="http://eyes.example") as client:  # type: ignore[arg-type]
            answers.append(client.get("/jobs").status_code)
        with TestClient(server.config.app, base_url="http://127.0.0.1") as client:  # type: ignore[arg-type]
            answers.append(client.get("/jobs").status_code)

    monkeypatch.setattr(uvicorn.Server, "run", run)
    folder = str(tmp_path / "served")
    assert main(["--port", "0", "--folder", folder, "--weights", str(weights), *names]) == 0
    assert ("?token=" in capsys.readouterr().out) is needs_token
    assert answers == ([401, 401] if needs_token else [421, 200])
    assert tempfile.tempdir == before


def test_the_address_of_all_is_one_that_can_be_opened() -> None:
    assert re.fullmatch(r"http://[\d.]+:80/", url(Address("0.0.0.0"), 80, None))
    assert "0.0.0.0" not in url(Address("0.0.0.0"), 80, None)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_every_address_is_also_one_of_ipv4() -> None:
    with (
        _listen(Address("::", port=0)) as listening,
        socket.create_connection(("127.0.0.1", listening.getsockname()[1]), timeout=5),
    ):
        pass
