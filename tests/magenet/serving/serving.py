"""A server as tests use it: a stand-in for the network, a clock, uploads, waiting."""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from magenet.enhancement.enhancer import EnhancedPhotograph, Report
from magenet.enhancement.folder.results import FolderOptions
from magenet.enhancement.fundus_check import NotAFundusError
from magenet.imaging.field_of_view import FieldOfView, estimate_field
from magenet.serving.access import Access
from magenet.serving.app import create_app
from magenet.serving.limits import Limits
from magenet.serving.store import Store
from magenet.serving.worker import UploadEnhancer
from tests.magenet.conftest import retina

URL = "http://127.0.0.1"
JPEG = "image/jpeg"


@dataclass
class StandIn:
    """Enhancer without a network: red becomes blue, as far as the strength says.

    Attributes:
        open: It waits for this before each photograph.
        sizes: Widths of the photographs that it has seen.
    """

    open: threading.Event = field(default_factory=threading.Event)
    sizes: list[int] = field(default_factory=list)
    hashes: dict[str, str] = field(
        default_factory=lambda: {"weights_sha256": "0" * 64, "settings_sha256": "1" * 64}
    )

    def __post_init__(self) -> None:
        self.open.set()

    def __call__(
        self, image: Tensor, found: FieldOfView | None, strength: float, force: bool, fast: bool
    ) -> EnhancedPhotograph:
        self.open.wait(60)
        self.sizes.append(image.shape[-1])
        seen = estimate_field(image) if found is None else found
        if seen.confidence == 0 and not force:
            raise NotAFundusError("does not look like a fundus photograph")
        change = image.flip(0).float() - image.float()
        result = (image.float() + strength * change).round().to(image.dtype)
        side = 32
        report = Report("check", ("it is a stand-in",), 1.0, 1.0, 8.0, 0.1, 9.0, 1.0, 0.0, 0.0, 0.5)
        return EnhancedPhotograph(result, seen, torch.full((1, side, side), 8 / 255), report)


@dataclass
class Clock:
    """Seconds since 1970, as a test sets them."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def served(
    folder: Path,
    limits: Limits = Limits(),  # noqa: B008
    access: Access = Access(),  # noqa: B008
    enhancer: Any = None,
    clock: Callable[[], float] = time.time,
) -> tuple[Any, Store]:
    """Return the application on a folder, and its store."""
    store = Store(folder, limits, clock)
    enhance = UploadEnhancer(enhancer or StandIn(), FolderOptions("mage_net"))
    return create_app(store, enhance, access), store


@contextlib.contextmanager
def listening(app: Any) -> Iterator[str]:
    """Run an application in a thread, and yield its address."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()


def picture(seed: int = 1, kind: str = "png", side: int = 96) -> bytes:
    """Return the file of a drawn retina."""
    stream = io.BytesIO()
    Image.fromarray(retina(seed, side).permute(1, 2, 0).numpy()).save(stream, kind)
    return stream.getvalue()


def uploads(*files: tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    """Return files as a client sends them."""
    return [("files", file) for file in files]


def send(client: Any, *files: tuple[str, bytes], **form: str) -> dict[str, Any]:
    """Upload, and return the job."""
    answer = client.post("/enhance", files=uploads(*files), data=form)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def is_at_work(client: Any, job: str) -> bool:
    """Return whether the first photograph of a job is being enhanced."""
    photographs: list[dict[str, Any]] = client.get(f"/jobs/{job}").json()["photographs"]
    return bool(photographs[0]["status"] == "working")


def finished(client: Any, job: str, headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """Wait until a job is done, and return its photographs."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        photographs: list[dict[str, Any]] = client.get(f"/jobs/{job}", headers=headers).json()[
            "photographs"
        ]
        if all(one["status"] not in ("waiting", "working") for one in photographs):
            return photographs
        time.sleep(0.02)
    raise AssertionError("not finished")


def files_below(folder: Path) -> set[str]:
    """Return all files of a store that hold something of a photograph."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return found - {".magenet-serve", ".serve.lock"}
