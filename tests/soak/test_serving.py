"""A server under load: many clients at once, none of whose photographs is lost."""

from __future__ import annotations

import io
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("httpx2", reason="needs httpx2 (extra dev)")

import httpx2

from data_modules.files.memory_estimate import MEBIBYTE
from magenet.allocator import resident
from magenet.serving.limits import Limits
from tests.magenet.serving.serving import finished, listening, picture, send, served
from tests.soak.ledger import Ledger

MOST_GROWTH = 150 * MEBIBYTE
"""Memory that the server and its clients, which share a process here, may take more."""


class Peak:
    """Greatest memory of the process while this is entered, looked at ten times a second."""

    def __enter__(self) -> Peak:
        self.start = self.most = resident()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._look)
        self.thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.ended.set()
        self.thread.join()

    def _look(self) -> None:
        while not self.ended.wait(0.1):
            self.most = max(self.most, resident())


def pixels(content: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.mark.parametrize(
    ("count", "clients"), [(12, 3), pytest.param(200, 8, marks=pytest.mark.soak)]
)
def test_many_clients_lose_no_photograph(
    tmp_path: Path, ledger: Ledger, count: int, clients: int
) -> None:
    promise = ledger.promise(
        "a server loses no photograph, mixes up none, and its memory is bounded",
        f"{count} photographs from {clients} clients at once, each with its own result",
    )
    files = [picture(seed) for seed in range(8)]
    app, store = served(tmp_path / "served", Limits(photographs=count))

    def one_client(number: int) -> list[str]:
        """Upload one after the other, two at once now and then, and compare every result."""
        lost, mine = [], list(range(number, count, clients))
        with httpx2.Client(base_url=address, timeout=120) as client:
            while mine:
                some = [mine.pop() for _ in range(min(len(mine), 1 + len(mine) % 2))]
                given = [(f"{index}.png", files[index % len(files)]) for index in some]
                job = send(client, *given)["job"]
                for one, (name, content) in zip(finished(client, job), given, strict=True):
                    result = client.get("/" + one["pictures"].get("result", "nowhere"))
                    whole = one["name"] == name and result.status_code == 200
                    if not whole or not np.array_equal(
                        pixels(result.content), pixels(content)[..., ::-1]
                    ):
                        lost.append(name)
        return lost

    with listening(app) as address:
        with Peak() as peak, ThreadPoolExecutor(clients) as pool:
            lost = [name for names in pool.map(one_client, range(clients)) for name in names]
            names = zipfile.ZipFile(
                io.BytesIO(httpx2.get(f"{address}results.zip", timeout=120).content)
            ).namelist()
        over = httpx2.post(f"{address}enhance", files=[("files", ("x.png", files[0]))])
    assert sum(len(job.uploads) for job in store.snapshot()) == count
    assert {f"{index}.png" for index in range(count)} < set(names)
    promise.count(count, lost)
    promise.count(1, [] if over.status_code == 429 else [f"one too many: {over.status_code}"])
    growth = peak.most - peak.start
    promise.count(1, [] if growth < MOST_GROWTH else [f"{growth / MEBIBYTE:.0f} MiB more"])
    promise.require_kept()
