"""A set written by a stranger starts no program, leaves no folder and fills no memory."""

import copy
import io
import json
import os
import random
import resource
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_modules import StreamedPhotographs
from data_modules.datasets.cache import LAYOUT
from data_modules.datasets.shards import MAX_INDEX, ShardFile, read_shard
from data_modules.files.errors import PictureError
from magenet.errors import UserError

SIZE = 16
Change = Callable[[dict[str, Any]], Any]


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


PLANES = np.arange(4 * SIZE * SIZE, dtype=np.uint8).reshape(4, SIZE, SIZE)
TEXT = json.dumps({"name": "eye.png"}).encode()
MEMBERS: list[tuple[str, bytes, Any]] = [
    (f"{index:09d}.{kind}", content, tarfile.REGTYPE)
    for index in (0, 1)
    for kind, content in (("json", TEXT), ("npy", npy(PLANES)))
]
INDEX = {
    "layout": LAYOUT,
    "image_size": SIZE,
    "parts": {
        part: [{"name": f"{part}-000000.tar", "count": 2}] for part in ("train", "val", "test")
    },
}


def packed(members: list[tuple[str, bytes, Any]], mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.size, info.type = len(content), kind
            info.linkname = "/etc/passwd"
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def location(tmp_path: Path) -> Path:
    """A set of two photographs as an earlier version wrote it, without patients."""
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "index.json").write_text(json.dumps(INDEX))
    for part in ("train", "val", "test"):
        (folder / f"{part}-000000.tar").write_bytes(packed(MEMBERS))
    return folder


def read(location: str | Path) -> None:
    dataset = StreamedPhotographs(str(location)).dataset("train", SIZE)
    assert [dataset[index]["name"] for index in range(len(dataset))] == ["eye.png"] * 2


def test_a_set_of_an_earlier_version_is_read_and_its_patients_are_missed(
    location: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read(location)
    assert capsys.readouterr().err == "", "training needs no patients"
    dataset = StreamedPhotographs(str(location)).dataset("test", SIZE)
    assert dataset[0]["patient"] == dataset[0]["name"] == "eye.png"
    assert "without patients: each photograph counts as a patient" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    [
        "pipe:touch {mark}", "PIPE:touch {mark}", "file:{mark}.tar", "gs://b;touch {mark}",
        "http://x/$(touch {mark})", "| touch {mark}", "$(touch {mark}).tar", "`touch {mark}`.tar",
        "../set/train-000000.tar", "{mark}.tar", "sub/train-000000.tar", "..", "", "-",
        "..\\set\\train-000000.tar", "train-000000.tar\n", "train-000000.tar\x00",
        " train-000000.tar",
        "train-000000.tar\npipe:touch {mark}", "train-000000.tar?x", "train-000000.tar#x",
        "train-00000\u0660.tar", "\uff54rain-000000.tar", "train-000000\u2024tar",
        "train-000000.tar\u202e", "train\u2010000000.tar",
        "\u2024\u2024/train-000000.tar", "%2e%2e/train-000000.tar", "train-000000.tar.gz",
        "train-" + "0" * 5000 + ".tar", "train-{{000000..999999}}.tar", "s3://b/train-000000.tar",
    ],
)  # fmt: skip
def test_a_name_is_that_of_a_file_in_the_set_alone(location: Path, name: str) -> None:
    mark = location.parent / "mark"
    index = copy.deepcopy(INDEX)
    index["parts"]["train"][0]["name"] = name.format(mark=mark)  # type: ignore[index]
    (location / "index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=r"index\.json: is not an index.*names a shard") as caught:
        read(location)
    assert str(caught.value).isprintable(), "no line break or escape reaches the terminal"
    assert len(str(caught.value)) < 400
    assert not mark.exists()


@pytest.mark.parametrize(
    "place", ["pipe:touch {mark}; cat {set}/{{}}", "PIPE:touch {mark}", "gs://x/{mark}", "ftp://x/y",
              "sftp://x/y", "scp://x/y", "ais://x/y", "hdfs://x/y", "data:x", "javascript:x"],
)  # fmt: skip
def test_a_location_starts_no_program(location: Path, place: str) -> None:
    mark = location.parent / "mark"
    with pytest.raises(UserError, match=r"is no address of shards.*s3://"):
        read(place.format(mark=mark, set=location))
    assert not mark.exists()


def setting(*path: Any, to: Any) -> Change:
    def change(index: dict[str, Any]) -> None:
        inner: Any = index
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = to

    return change


ENTRY = ("parts", "train", 0)


@pytest.mark.parametrize(
    "change",
    [
        *(setting(*ENTRY, "count", to=to) for to in
          (0, -1, 2.0, "2", True, None, [2], {}, 10**9, 10**4000, 1e400, float("nan"))),
        *(setting(*ENTRY, "name", to=to) for to in (None, 1, [], {}, ["train-000000.tar"])),
        *(setting(*ENTRY, to=to) for to in (None, 1, "x", [], {}, {"name": "train-000000.tar"})),
        *(setting("parts", "train", to=to) for to in
          (None, 1, "train", {}, [], [{"name": "train-000000.tar", "count": 2}] * 2,
           [{"name": f"train-{i:06d}.tar", "count": 10**6} for i in range(11)])),
        *(setting("parts", to=to) for to in (None, 1, "x", [])),
        *(setting("layout", to=to) for to in (None, "1", 1.0, True, [1], 10**4000, -1)),
        *(setting("image_size", to=to) for to in (None, "16", 16.0, True, 10**4000, -16, 0)),
    ],
)  # fmt: skip
def test_an_index_with_other_values_is_refused(location: Path, change: Change) -> None:
    index = copy.deepcopy(INDEX)
    change(index)
    (location / "index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=r"index\.json: ") as caught:
        read(location)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "content",
    [
        b"", b"null", b"[]", b"1", b'"x"', b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000,
        b"9" * 10_000, json.dumps(INDEX).encode() + b" x", b"\x00" * 100,
    ],
)  # fmt: skip
def test_what_is_no_index_is_refused(location: Path, content: bytes) -> None:
    (location / "index.json").write_bytes(content)
    with pytest.raises(UserError, match=r"index\.json: (cannot be read|is not an index)"):
        read(location)


def test_an_index_of_100_mb_is_refused_unread(location: Path) -> None:
    with (location / "index.json").open("r+b") as stream:
        stream.truncate(100 * 10**6)
    with pytest.raises(UserError, match=f"more than {MAX_INDEX} bytes"):
        read(location)


class Harmful:
    def __reduce__(self) -> Any:
        return os.mkdir, ("harmed",)


def claiming(shape: str, dtype: str = "|u1") -> bytes:
    """An array that says it is larger than it is."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(1024)


@pytest.mark.parametrize(
    ("place", "member"),
    [
        *((1, ("000000000.npy", content, tarfile.REGTYPE)) for content in (
            npy(np.array([Harmful()], dtype=object)), claiming("(4, 16, 16)", "|O"),
            claiming("(4, 99999, 99999)"), claiming("(4, 16, 16)", "<f8"), claiming("(" * 400),
            claiming("(4, 16, 16)")[:-1], claiming("(4, 16, 16)") + b"x", claiming("(3, 16, 16)"),
            b"PK\x03\x04" + bytes(100), b"", bytes(10_000), b"\x93NUMPY\x03\x00" + bytes(1100))),
        *((0, ("000000000.json", content, tarfile.REGTYPE)) for content in (
            b"", b"{}", b"[]", b'"eye.png"', b'{"name": 1}', b'{"name": ""}', b"[" * 50_000,
            b'{"name": "eye.png", "patient": null}', b'{"name": "eye.png", "patient": ["x"]}',
            b'{"name": "' + b"x" * 2**16 + b'"}')),
        *((0, (name, TEXT, tarfile.REGTYPE)) for name in (
            "/etc/000000000.json", "../000000000.json", "x/000000000.json", "000000000.pkl",
            "000000000.pyd", "000000000.json\n", "00000000\u0660.json", "eye.json", "000000000.npy",
            "000000001.json", "000000000.JSON")),
        *((0, ("000000000.json", b"", kind)) for kind in (
            tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE)),
        (0, ("000000000.json", TEXT, tarfile.GNUTYPE_SPARSE)),
        (0, ("000000000.json", TEXT, tarfile.CONTTYPE)),
    ],
)  # fmt: skip
def test_only_expected_members_of_a_shard_are_read(
    location: Path, place: int, member: tuple[str, bytes, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(location)
    members = copy.copy(MEMBERS)
    members[place] = member
    (location / "train-000000.tar").write_bytes(packed(members))
    with pytest.raises(PictureError, match=r"train-000000\.tar: ") as caught:
        read(location)
    assert str(caught.value).isprintable()
    assert not Path("harmed").exists()


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_shard_is_not_unpacked(location: Path, mode: str) -> None:
    (location / "train-000000.tar").write_bytes(packed(MEMBERS, mode))
    with pytest.raises(PictureError, match="cannot be read as a shard"):
        read(location)


def test_a_flipped_byte_is_an_error_or_a_photograph(tmp_path: Path) -> None:
    plain, path = packed(MEMBERS), tmp_path / "train-000000.tar"
    generator = random.Random(0)
    refused = 0
    for _ in range(300):
        content = bytearray(plain)
        for _ in range(generator.choice((1, 3, 30))):
            content[generator.randrange(5 * 512)] = generator.randrange(256)
        path.write_bytes(content)
        try:
            read_shard(ShardFile(str(path), 2, SIZE))
        except PictureError:
            refused += 1
    assert refused > 100


ENDLESS = """
import resource, sys, tarfile
from data_modules.datasets.shards import ShardFile, read_shard
from data_modules.files.errors import PictureError
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
try:
    read_shard(ShardFile(sys.argv[1], 2, 16))
except PictureError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_AS")
@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.REGTYPE])
def test_a_huge_member_takes_no_memory(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "train-000000.tar"
    info = tarfile.TarInfo("000000000.npy")
    info.type, info.size = kind, 6 * 2**30
    with path.open("wb") as stream:
        stream.write(info.tobuf(tarfile.GNU_FORMAT))
        stream.truncate(6 * 2**30)  # of holes
    limit = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = 4 * 2**30 if limit == resource.RLIM_INFINITY else min(limit, 4 * 2**30)
    done = subprocess.run(
        [sys.executable, "-c", ENDLESS, str(path), str(limit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "cannot be read as a shard" in done.stdout
