"""Hostile uploads: nothing outside its folder, no script, no error of the server."""

import io
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest

from magenet.serving.upload import file_name, shown_name
from tests.magenet.serving.serving import finished, picture, send, uploads
from tests.soak.test_photographs import damaged

NAMES = (
    "../../../../tmp/out.png", "/etc/passwd.png", "C:\\Windows\\out.png", "..\\..\\out.png",
    "a/../../b.png", ".", "..", "", " ", "\x00.png", "a\x00b.png", "x" * 5000 + ".png",
    "\u202egnp.exe", "<img src=x onerror=alert(1)>.png", "a\r\nSet-Cookie: x=1.png",
    '"; filename="b.png', "NUL.png", "con/aux.png", "job.json", "upload.json", "0/upload.json",
    "%2e%2e%2fout.png", "\u00fc\u4e2d.png", ".hidden.png", "-rf.png", "~/x.png", "a//b///c.png",
    "../" * 50 + "x.png",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_leads_nowhere(name: str) -> None:
    shown = shown_name(name)
    assert shown == shown_name(shown)
    parts = shown.split("/")
    assert all(part and part.strip(". ") for part in parts)
    assert not set(shown) & set('<>:"|?*\\\r\n\x00\u202e')
    assert len(shown) <= 150
    assert file_name(shown) in {"given", "given.png"}


def test_names_stay_inside_the_folder_and_the_archive(client: Any, tmp_path: Path) -> None:
    before = {path for path in tmp_path.rglob("*") if "served" not in path.parts}
    content, jobs = picture(), []
    for name in NAMES:
        answer = client.post("/enhance", files=uploads((name or "x", content)))
        assert answer.status_code in (202, 400), "a header that is none is no upload"
        jobs += [answer.json()["job"]] if answer.status_code == 202 else []
    assert len(jobs) > len(NAMES) // 2
    assert all(finished(client, job) for job in jobs)
    assert {path for path in tmp_path.rglob("*") if "served" not in path.parts} == before
    for path in (tmp_path / "served/jobs").rglob("*"):
        relative = path.relative_to(tmp_path / "served/jobs").parts
        assert len(relative) <= 4
        assert relative[1:2] == () or relative[1] in {"0", "job.json"}
    archive = zipfile.ZipFile(io.BytesIO(client.get("/results.zip").content))
    for name in archive.namelist():
        assert not name.startswith(("/", "\\"))
        assert ".." not in Path(name).parts
    assert len(set(archive.namelist())) == len(archive.namelist())


def test_a_name_is_no_header_and_no_script(client: Any) -> None:
    job = send(client, ('a"\u00fc\n<script>.png', picture()))["job"]
    finished(client, job)
    answer = client.get(f"/jobs/{job}/photographs/0/result")
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''a")
    assert "<" not in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.jpg", b"<html><script>alert(1)</script></html>"),
        ("page.html", b"<html><script>alert(1)</script></html>"),
        ("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
        ("text.png", b"\x89PNG\r\n\x1a\n"),
        ("script.ps.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n"),
        ("nothing.jpg", b""),
        ("phone.heic", b"\x00\x00\x00\x18ftypheic"),
        ("a.dcm", bytes(128) + b"DICM" + random.Random(0).randbytes(300)),
        ("IM0001", bytes(128) + b"DICM"),
        ("DICOMDIR", bytes(128) + b"DICM"),
        ("tags.tif", b"II*\x00\xff\xff\xff\xff"),
    ],
)
def test_what_is_no_photograph_fails_with_a_reason(client: Any, name: str, content: bytes) -> None:
    (photograph,) = finished(client, send(client, (name, content))["job"])
    assert photograph["status"] == "failed"
    assert photograph["reasons"][0]
    assert photograph["pictures"] == {}
    for kind in ("result", "before", "after"):
        address = f"/jobs/{photograph['job']}/photographs/0/{kind}"
        assert client.get(address).status_code == 404, "what was uploaded is never handed out"


def test_an_archive_is_not_unpacked(client: Any, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(50_000_000))
        archive.writestr("../../out.png", picture())
    for name in ("bomb.zip", "bomb.png"):
        (photograph,) = finished(client, send(client, (name, stream.getvalue()))["job"])
        assert photograph["status"] == "failed"
    held = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert held < 1_000_000


def test_damaged_files_cost_only_themselves(client: Any) -> None:
    generator = random.Random(0)
    whole = [picture(1, kind) for kind in ("png", "jpeg", "tiff", "webp", "bmp")]
    files = [
        (f"{number}.{ending}", damaged(content, generator))
        for number in range(6)
        for content, ending in zip(whole, ("png", "jpg", "tif", "webp", "bmp"), strict=True)
    ]
    photographs = finished(client, send(client, *files, ("whole.png", picture(2)))["job"])
    assert len(photographs) == 31
    assert all(one["status"] == "enhanced" or one["reasons"] for one in photographs)
    assert photographs[-1]["status"] == "enhanced"


BOUNDARY = {"Content-Type": "multipart/form-data; boundary=x"}
PART = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (PART + b"half a file", BOUNDARY),
        (PART[:30], BOUNDARY),
        (b"", BOUNDARY),
        (b"no boundary", {"Content-Type": "multipart/form-data"}),
        (PART, {"Content-Type": "multipart/form-data; boundary=" + "y" * 300}),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\nq\r\n--x--\r\n", BOUNDARY),
        (b"--x\r\n" + b"A: b\r\n" * 5000 + b"\r\n", BOUNDARY),
        (PART.replace(b"a.png", b"\xff\xfe.png") + b"q\r\n--x--\r\n", BOUNDARY),
        (PART.replace(b'; filename="a.png"', b"") + b"q" * 5000 + b"\r\n--x--\r\n", BOUNDARY),
        (b"files=a", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"&".join([b"a=b"] * 5000), {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"{}", {"Content-Type": "application/json"}),
        (b"x", {"Content-Type": "multipart/form-data; boundary=x; charset=utf-7"}),
        (b"", {"Content-Length": "-5", **BOUNDARY}),
    ],
    ids=range(14),
)
def test_a_crooked_request_is_the_clients_mistake(
    client: Any, content: bytes, headers: dict[str, str], tmp_path: Path
) -> None:
    answer = client.post("/enhance", content=content, headers=headers)
    assert 400 <= answer.status_code < 500 or answer.status_code == 202
    assert not list((tmp_path / "served/moving").iterdir())
    assert client.get("/about").status_code == 200


def test_many_fields_are_refused(client: Any) -> None:
    form = {f"field{number}": "x" for number in range(1000)}
    answer = client.post("/enhance", files=uploads(("a.png", picture())), data=form)
    assert answer.status_code == 400
    assert "Too many fields" in answer.json()["detail"]


@pytest.mark.parametrize(
    "address",
    [
        "/jobs/%2e%2e%2f%2e%2e", "/jobs/../moving", "/jobs/a/photographs/-1",
        "/jobs/a/photographs/99999999999999999999", "/jobs/a/photographs/0/result",
        "/jobs/a/photographs/0/upload.json", "/static/%2e%2e%2fapp.py", "/static/..%5capp.py",
        "/static/app.py", "/static/", "/jobs/\u00fc", "/jobs/%00", "/jobs/a/results.zip",
    ],
)  # fmt: skip
def test_a_crooked_address_leads_nowhere(client: Any, address: str) -> None:
    assert client.get(address).status_code in (404, 422)
