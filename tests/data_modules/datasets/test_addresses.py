"""Files of a set from a web server: whole, or an error; no redirection leaves the web."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from data_modules.datasets import addresses
from data_modules.datasets.addresses import read_address


class Answers(BaseHTTPRequestHandler):
    """Answers the n-th request of each path with the n-th letter of its name."""

    asked: ClassVar[dict[str, int]] = {}

    def do_GET(self) -> None:
        number = self.asked[self.path] = self.asked.get(self.path, 0) + 1
        kind = self.path[1:][min(number, len(self.path) - 1) - 1]
        codes = {"n": 404, "b": 503, "f": 302, "h": 302, "p": 302}
        self.send_response(codes.get(kind, 200))
        if kind in "fhp":
            self.send_header(
                "Location", {"f": "file:///etc/passwd", "h": "/w", "p": "ftp://127.0.0.1/x"}[kind]
            )
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"who" if kind == "t" else b"whole.")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(addresses.time, "sleep", lambda _: None)
    Answers.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("answers", ["w", "tw", "bw", "btbw", "hw"])
def test_a_file_is_read_whole_also_after_lost_connections(web: str, answers: str) -> None:
    assert read_address(f"{web}/{answers}", lambda stream: stream.read(100)) == b"whole."
    assert read_address(f"HTTP{web[4:]}/w", lambda stream: stream.read(3)) == b"who"


@pytest.mark.parametrize(
    ("answers", "asked", "reason"),
    [
        ("t", 4, "broke off"),
        ("b", 4, "503"),
        ("n", 1, "404"),
        ("f", 1, "302"),
        ("p", 4, "unknown url type"),
    ],
)
def test_what_stays_broken_is_an_error(web: str, answers: str, asked: int, reason: str) -> None:
    with pytest.raises(OSError, match=reason):
        read_address(f"{web}/{answers}", lambda stream: stream.read(100))
    assert Answers.asked[f"/{answers}"] == asked
