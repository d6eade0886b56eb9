"""Limits on bytes, pixels and numbers: refused with a sentence, and nothing of it is kept."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from magenet.serving.limits import Limits
from tests.magenet.serving.serving import (
    URL,
    StandIn,
    files_below,
    finished,
    picture,
    send,
    served,
    uploads,
)

Limited = Callable[[Limits], Any]


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Limited]:
    """Return a function that starts a server with limits."""
    opened = []

    def start(limits: Limits) -> Any:
        app, _ = served(tmp_path / "served", limits)
        client = TestClient(app, base_url=URL)
        client.__enter__()
        opened.append(client)
        return client

    yield start
    for client in opened:
        client.__exit__(None, None, None)
    assert files_below(tmp_path / "served/moving") == set()


def jobs(client: Any) -> list[str]:
    """Return which jobs there are; how far they are changes meanwhile."""
    return [job["job"] for job in client.get("/jobs").json()]


def refused(client: Any, *files: tuple[str, bytes]) -> tuple[int, str]:
    before = jobs(client)
    answer = client.post("/enhance", files=uploads(*files))
    assert jobs(client) == before, "nothing of it is kept"
    return answer.status_code, answer.json()["detail"]


def test_a_request_of_too_many_bytes(limited: Limited) -> None:
    client = limited(Limits(upload=20_000))
    code, said = refused(client, ("a.png", b"x" * 30_000))
    assert code == 413
    assert "larger than 0.0191 MiB" in said

    for told in ("30000", "020001", "9" * 5000):
        answer = client.post("/enhance", content=b"", headers={"Content-Length": told})
        assert (answer.status_code, answer.json()["detail"]) == (413, said), told

    def untold() -> Iterator[bytes]:  # without a Content-Length
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        for _ in range(30):
            yield b"x" * 1000

    answer = client.post(
        "/enhance", content=untold(), headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert (answer.status_code, answer.json()["detail"]) == (413, said)


def test_a_photograph_of_too_many_pixels_is_named(limited: Limited) -> None:
    client = limited(Limits(pixels=20_000))
    code, said = refused(client, ("small.png", picture(side=96)), ("large.png", picture(side=160)))
    assert code == 413
    assert said.startswith("large.png: has 0 million pixels")
    assert finished(client, send(client, ("small.png", picture(side=96)))["job"])


def test_a_decompression_bomb_is_never_decoded(limited: Limited) -> None:
    stream = io.BytesIO()
    Image.new("1", (13000, 13000)).save(stream, "png")  # 169 million pixels in 21 kB
    assert len(stream.getvalue()) < 100_000
    code, said = refused(limited(Limits()), ("bomb.png", stream.getvalue()))
    assert code == 413
    assert "has 169 million pixels; this server takes up to 64 million" in said


def test_small_frames_count_as_long_as_they_take(limited: Limited, tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    from tests.data_modules.files.ophthalmic import noise, photograph

    photograph(tmp_path / "film.dcm", noise((300, 64, 64, 3)))
    code, said = refused(limited(Limits()), ("film.dcm", (tmp_path / "film.dcm").read_bytes()))
    assert code == 413
    assert said.startswith("film.dcm: has 79 million pixels")


def test_too_many_photographs_alone_or_with_those_that_are_held(limited: Limited) -> None:
    client = limited(Limits(photographs=3, keep=7))
    code, said = refused(client, *[("a.png", picture())] * 4)
    assert code == 413
    assert "more than the 3 photographs" in said
    send(client, *[("a.png", picture())] * 2)
    code, said = refused(client, *[("a.png", picture())] * 2)
    assert code == 429
    assert "holds 2 photographs of at most 3" in said
    assert "7 minutes" in said
    client.delete("/jobs")
    send(client, *[("a.png", picture())] * 3)


def test_a_full_share_of_the_disk(limited: Limited) -> None:
    size = len(picture())
    client = limited(Limits(disk=int(1.5 * size)))
    send(client, ("a.png", picture()))
    code, said = refused(client, ("b.png", picture()))
    assert code == 429
    assert "of photographs: download and delete some" in said
    code, said = refused(client, ("b.png", picture()), ("c.png", picture()))
    assert code == 413, "waiting would not help"
    assert "send fewer, or smaller ones" in said


def test_a_full_disk_is_told_and_costs_no_other(
    client: Any, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = send(client, ("a.png", picture()))["job"]
    finished(client, first)

    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("magenet.serving.app.shutil.copyfileobj", full)
        code, said = refused(client, ("b.png", picture()))
    assert code == 507
    assert said == "The server's disk is full (No space left on device)."
    with monkeypatch.context() as patch:
        patch.setattr("magenet.serving.upload.Upload.write", full)
        address = f"/jobs/{first}/photographs/0"
        assert client.patch(address, json={"strength": 0.5}).status_code == 507
    assert client.get(address).json()["status"] == "enhanced", "what there is stays"
    assert client.get(f"{address}/result").status_code == 200
    with monkeypatch.context() as patch:
        patch.setattr("magenet.serving.worker.write_pictures", full)
        (photograph,) = finished(client, send(client, ("c.png", picture()))["job"])
    assert photograph["status"] == "failed"
    assert "No space left" in photograph["reasons"][0]
    assert finished(client, send(client, ("d.png", picture()))["job"])[0]["status"] == "enhanced"


def test_a_page_is_told_the_limits(limited: Limited) -> None:
    """It checks them before it sends anything."""
    told = limited(Limits(pixels=5_000_000, photographs=3, keep=7)).get("/about").json()
    assert told["keep_minutes"] == 7
    assert told["limits"]["photographs"] == 3
    assert told["limits"]["pixels"] == 5_000_000
    assert {".jpg", ".png", ".dcm"} <= set(told["endings"])
