"""A server on a folder, with a stand-in for the network."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("httpx2", reason="needs httpx2 (extra dev)")

from starlette.testclient import TestClient

from tests.magenet.serving.serving import URL, StandIn, served


@pytest.fixture
def stand_in() -> StandIn:
    return StandIn()


@pytest.fixture
def client(tmp_path: Path, stand_in: StandIn) -> Iterator[Any]:
    app, _ = served(tmp_path / "served", enhancer=stand_in)
    with TestClient(app, base_url=URL) as client:
        yield client
        stand_in.open.set()
