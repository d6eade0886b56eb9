"""Shards: photographs cropped, resized and packed into tar files once, to be read sequentially.

A set is a folder, or its equivalent on a web server or in an object store: `train-000000.tar` and
so on for each part, and `index.json`, which lists them and is written last. Each sample is
`<number>.json`, its name and patient, and `<number>.npy`, the planes of
:func:`data_modules.datasets.cache.to_planes`. A set may come from a stranger: what is read is
checked, bounded in size, and never run.
"""

from __future__ import annotations

import json
import math
import re
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from data_modules.datasets.addresses import Readable, join, read_address
from data_modules.datasets.cache import LAYOUT, Planes, to_planes
from data_modules.datasets.manifest import listed
from data_modules.datasets.photographs import PhotographDataset, PhotographSource, Sample, Split
from data_modules.files.errors import PictureError
from magenet.atomic_write import atomic_write, make_folder
from magenet.errors import UserError

INDEX = "index.json"
"""File that lists the shards of a set."""

NAME = re.compile(r"(train|val|test)-[0-9]{6,9}\.tar")
"""Name of a shard: that of a file in the folder of the set, and nothing else."""

MAX_INDEX = 16 * 2**20
"""Largest index that is read, in bytes (our choice): 270,000 shards."""

MAX_PHOTOGRAPHS = 10_000_000
"""Most photographs of a part (our choice); shuffling them takes 80 MB."""

MAX_SHARD = 4 * 2**30
"""Largest shard, in bytes of planes (our choice); a worker holds several in memory."""

MAX_TEXT = 2**16
"""Largest name and patient of a photograph, in bytes of JSON (our choice)."""


class Stored(NamedTuple):
    """A photograph of a shard.

    Attributes:
        name: Its name in its original manifest or folder.
        patient: Its patient; its name where unknown, or where an earlier version wrote the shard.
        planes: Its planes.
    """

    name: str
    patient: str
    planes: Planes


@dataclass(frozen=True)
class ShardFile:
    """One tar file of a set.

    Attributes:
        address: Address of the file; see :func:`read_address`.
        count: Number of photographs.
        image_size: Their side, in pixels.
    """

    address: str
    count: int
    image_size: int


class Index(NamedTuple):
    """The shards of one split of a set.

    Attributes:
        shards: The shards.
        patients: Whether they hold the patient of each photograph.
    """

    shards: list[ShardFile]
    patients: bool


def webdataset() -> Any:
    """Import the library webdataset, an optional dependency that writes the shards.

    Raises:
        UserError: If it is not installed.
    """
    try:
        import webdataset
    except ImportError:
        raise UserError(
            'writing shards needs webdataset, which is not installed: pip install "magenet[stream]"'
        ) from None
    return webdataset


def read_index(location: str, split: Split, image_size: int) -> Index:
    """Return the shards of one split of a set.

    Args:
        location: See :class:`data_modules.datasets.streaming.StreamedPhotographs`.
        split: `train`, `val` or `test`.
        image_size: Side of the photographs expected, in pixels.

    Raises:
        UserError: If the set is missing or incomplete, or of another version or size, or if
            'magenet shards' cannot have written its index.
    """
    path = join(location, INDEX)
    try:
        content = read_address(path, lambda stream: stream.read(MAX_INDEX + 1))
        if len(content) > MAX_INDEX:
            raise ValueError(f"more than {MAX_INDEX} bytes")
        index = json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: cannot be read ({_reason(error)}); 'magenet shards' writes it last, so a "
            "set without it is incomplete"
        ) from None
    foreign = f"{path}: is not an index written by 'magenet shards'"
    try:
        layout, size, files = index["layout"], index["image_size"], index["parts"][split]
        entries = [(file["name"], file["count"]) for file in files]
    except (KeyError, TypeError):
        raise UserError(foreign) from None
    if type(layout) is not int or type(size) is not int:
        raise UserError(f"{foreign}: layout and image_size must be whole numbers")
    if layout != LAYOUT:
        raise UserError(
            f"{path}: was written in layout {ascii(layout)[:20]}, but this version needs layout "
            f"{LAYOUT}: write the set again with 'magenet shards'"
        )
    if size != image_size:
        raise UserError(
            f"{path}: holds photographs of {ascii(size)[:20]} px, not {image_size}: use "
            f"--data.image_size {ascii(size)[:20]}, or write a set with --image-size {image_size}"
        )
    most = MAX_SHARD // _plane_bytes(size)
    for name, count in entries:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise UserError(f"{foreign}: it names a shard {ascii(name)[:80]}")
        if type(count) is not int or not 1 <= count <= most:
            raise UserError(
                f"{foreign}: {name} holds {ascii(count)[:20]} photographs, which must be 1 to "
                f"{most} at {size} px"
            )
    if len({name for name, _ in entries}) < len(entries):
        raise UserError(f"{foreign}: it names a shard twice")
    if not 1 <= sum(count for _, count in entries) <= MAX_PHOTOGRAPHS:
        raise UserError(f"{foreign}: '{split}' must hold 1 to {MAX_PHOTOGRAPHS} photographs")
    shards = [ShardFile(join(location, name), count, size) for name, count in entries]
    return Index(shards, index.get("patients") is True)


def read_shard(shard: ShardFile) -> list[Stored]:
    """Return the photographs of a shard, in order.

    Raises:
        PictureError: If it cannot be read, is incomplete, or holds anything that 'magenet shards'
            did not write.
    """
    try:
        samples = read_address(shard.address, lambda stream: _samples(stream, shard))
    except (
        OSError,
        ValueError,
        EOFError,
        RecursionError,
        OverflowError,
        tarfile.TarError,
    ) as error:
        raise PictureError(
            f"{shard.address}: cannot be read as a shard ({_reason(error)}); copy it again, or "
            "rewrite the set"
        ) from None
    if len(samples) != shard.count:
        raise PictureError(
            f"{shard.address}: holds {len(samples)} photographs, {shard.count} by the index; copy "
            "it again, or rewrite the set"
        )
    return samples


def _samples(stream: Readable, shard: ShardFile) -> list[Stored]:
    """Return the photographs of an open shard, of which no member is larger than it may be.

    Raises:
        ValueError: If it holds anything that 'magenet shards' did not write.
    """
    limits = {"json": MAX_TEXT, "npy": _plane_bytes(shard.image_size) + 4096}  # 4096: its header
    samples: list[Stored] = []
    unfinished: dict[str, dict[str, bytes]] = {}
    room = shard.count * (sum(limits.values()) + 4096) + 2**20  # headers and padding of tar
    # Not "r|*", which would unpack a compressed file to any size.
    opened: Any = _Bounded(stream, room)  # a stream needs no more than read()
    with tarfile.open(fileobj=opened, mode="r|") as archive:
        for member in archive:
            found = re.fullmatch(r"([0-9]{9,12})\.(json|npy)", member.name)
            if not found or member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                raise ValueError(f"unknown member {ascii(member.name)[:80]}")
            key, kind = found.groups()
            if not 0 < member.size <= limits[kind]:
                raise ValueError(f"{member.name} has {member.size} bytes")
            parts = unfinished.setdefault(key, {})
            if kind in parts or len(unfinished) + len(samples) > shard.count:
                raise ValueError(f"{member.name} is one too many")
            content = archive.extractfile(member)
            assert content is not None  # of a regular file
            parts[kind] = content.read()
            if len(parts) == len(limits):
                samples.append(_stored(unfinished.pop(key), shard.image_size))
    if unfinished:
        raise ValueError("a photograph lacks its name or its planes")
    return samples


class _Bounded:
    """Open file that may not be longer than `room` bytes."""

    def __init__(self, stream: Readable, room: int) -> None:
        self.stream = stream
        self.room = room

    def read(self, size: int, /) -> bytes:
        content = self.stream.read(size)
        self.room -= len(content)
        if self.room < 0:
            raise ValueError("it is longer than the index allows")
        return content


def _stored(parts: dict[str, bytes], image_size: int) -> Stored:
    """Return a photograph from the content of its members.

    Raises:
        ValueError: If 'magenet shards' did not write it.
    """
    text = json.loads(parts["json"])
    name = text.get("name") if isinstance(text, dict) else None
    patient = text.get("patient", name) if isinstance(text, dict) else None
    if not (isinstance(name, str) and name and isinstance(patient, str) and patient):
        raise ValueError("a photograph has no name, or a patient that is no text")
    return Stored(name, patient, _planes(parts["npy"], image_size))


def _planes(content: bytes, image_size: int) -> Planes:
    """Return the planes of a `.npy` file: its header is compared, not evaluated.

    Raises:
        ValueError: If it holds an array of another type or shape.
    """
    shape = rf"\(([45]), {image_size}, {image_size}\)"
    header = rf"{{'descr': '\|u1', 'fortran_order': False, 'shape': {shape}, }} *\n"
    found = re.match(rb"\x93NUMPY\x01\x00(..)(%b)" % header.encode(), content, re.DOTALL)
    if not found or int.from_bytes(found[1], "little") != len(found[2]):
        raise ValueError("an array is not the planes of a photograph")
    planes = np.frombuffer(bytearray(content[found.end() :]), np.uint8)
    return planes.reshape(int(found[3]), image_size, image_size)


def _plane_bytes(image_size: int) -> int:
    """Return the most bytes that the planes of a photograph take."""
    return 5 * image_size**2


class _Readable(Dataset[Sample | str]):
    """Data set of photographs; in place of an unreadable one, its error message."""

    def __init__(self, photographs: PhotographDataset) -> None:
        self.photographs = photographs

    def __len__(self) -> int:
        return len(self.photographs)

    def __getitem__(self, index: int) -> Sample | str:
        try:
            return self.photographs[index]
        except PictureError as error:
            return str(error)


def write_shards(
    photographs: PhotographSource,
    folder: Path,
    image_size: int,
    shard_size: int = 256,
    workers: int = 0,
) -> list[str]:
    """Write all parts of a set; photographs that cannot be decoded are left out.

    Args:
        photographs: Source of the photographs.
        folder: Output folder for shards and index; created if missing.
        image_size: Side of the square that photographs are cropped and resized to, in pixels.
        shard_size: Largest number of photographs in a shard (our choice: 84 MB of them at 256 px);
            the shards of a part are filled evenly.
        workers: Processes that decode; 0 decodes in the main process.

    Returns:
        Error messages of the photographs left out.

    Raises:
        UserError: If the folder holds a set or cannot be written to, a part has no readable
            photograph, or the shards would be larger than is read again.
    """
    folder = folder.resolve()  # a name with a colon would be parsed as an address
    if (folder / INDEX).exists():
        raise UserError(f"{folder / INDEX}: already exists; choose another folder")
    parts: dict[str, list[dict[str, Any]]] = {}
    errors: list[str] = []
    make_folder(folder)
    try:
        for split in get_args(Split):
            dataset = photographs.dataset(split, image_size)
            most = MAX_SHARD // _plane_bytes(image_size)
            if min(shard_size, len(dataset)) > most:
                raise UserError(
                    f"--shard-size {shard_size}: a shard holds at most {most} photographs of "
                    f"{image_size} px"
                )
            parts[split] = _write_part(dataset, folder, split, shard_size, workers, errors)
        content = {"layout": LAYOUT, "image_size": image_size, "patients": True, "parts": parts}
        with atomic_write(folder / INDEX) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written to ({_reason(error)})") from None
    return errors


def _write_part(
    dataset: PhotographDataset,
    folder: Path,
    split: Split,
    shard_size: int,
    workers: int,
    errors: list[str],
) -> list[dict[str, Any]]:
    """Write the shards of a part; return their index entries and append to `errors`."""
    shards: list[dict[str, Any]] = []
    writer: Any = webdataset().ShardWriter(
        str(folder / split).replace("%", "%%") + "-%06d.tar",
        maxcount=math.ceil(len(dataset) / math.ceil(len(dataset) / shard_size)),
        maxsize=math.inf,
        post=lambda file: shards.append({"name": Path(file).name, "count": writer.count}),
        verbose=0,
        mtime=0,  # so that the same photographs give the same bytes
    )
    loader = DataLoader(_Readable(dataset), batch_size=None, num_workers=workers)
    with writer:
        for number, sample in enumerate(
            tqdm(loader, desc=split, unit="photograph", disable=not sys.stderr.isatty())
        ):
            if isinstance(sample, str):
                errors.append(sample)
                continue
            text = {"name": sample["name"], "patient": sample["patient"]}
            content = {"npy": to_planes(sample), "json": text}
            writer.write({"__key__": f"{number:09d}", **content})
    shards = [shard for shard in shards if shard["count"]]
    if not shards:
        reasons = listed(errors[-len(dataset) :])
        raise UserError(f"no photograph of the split '{split}' can be read: {reasons}")
    return shards


def _reason(error: Exception) -> str:
    """Return the message of an error, in one line."""
    message = error.strerror if isinstance(error, OSError) else None
    return message or (str(error).splitlines() or [type(error).__name__])[0]
